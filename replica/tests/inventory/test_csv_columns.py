"""Tables as scanners, spreadsheets and asset registers export them."""

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.found_service import Greeted


def greeted(greeting: str) -> Greeted | None:
    return Greeted("ssh", "OpenSSH", "8.9p1") if greeting.startswith("SSH-2.0-OpenSSH") else None


def test_shodans_table_is_read_with_its_banners_and_its_address_as_a_number():
    table = (
        "data,hostnames,ip,ip_str,port,transport,product,version\n"
        '"SSH-2.0-OpenSSH_8.9p1\n",gw.corp.example,3325256708,198.51.100.4,22,tcp,,\n'
        "x,,3325256709,198.51.100.5,443,tcp,nginx,1.18.0\n"
    )
    inventory = read(table, "ip,port\n198.51.100.4,80\n", named_by=greeted)
    assert services_of(inventory) == {
        "web-1": ["22/tcp OpenSSH 8.9p1", "80/tcp http"],
        "web-2": ["443/tcp nginx 1.18.0"],
    }
    assert inventory.unread == ("file1: nothing is read from the column: 'hostnames'",)


def test_a_column_called_data_is_a_banner_only_in_shodans_table():
    inventory = read("host,port,data\na,22,SSH-2.0-OpenSSH\n", named_by=greeted)
    assert inventory.hosts[0].services[0].product is None
    assert "'data'" in inventory.unread[0]


def test_zmaps_table_is_read_without_the_ports_that_refused():
    inventory = read(
        "saddr,daddr,sport,dport,classification,success\n"
        "10.0.0.9,10.0.0.1,80,40213,synack,1\n10.0.0.11,10.0.0.1,80,40213,rst,0\n"
    )
    assert services_of(inventory) == {"web-1": ["80/tcp http"], "host-1": []}
    assert services_of(read("saddr,sport\n10.0.0.9,22\n")) == {"remote-1": ["22/tcp ssh"]}


def test_a_list_of_connections_is_no_list_of_servers():
    with pytest.raises(InventoryError, match="file1:1: has no column that names the host"):
        read("saddr,sport,daddr,dport,proto\n10.0.0.9,51234,10.0.0.5,5432,tcp\n")


@pytest.mark.parametrize("column", ["name", "Name"])
def test_a_name_beside_the_hosts_own_joins_no_hosts(column):
    inventory = read(f"Plugin ID,Host,Port,{column}\n1,10.0.0.5,22,SSH Server\n1,10.0.0.6,22,SSH Server\n")
    assert len(inventory.hosts) == 2
    assert f"'{column}'" in inventory.unread[0]


@pytest.mark.parametrize("name", ["[n/a]", "[n/s]", "*", "(none)", "<unknown>", "NaN", "N/A"])
def test_what_stands_where_a_host_has_no_name_joins_no_hosts(name):
    inventory = read(f"IP,Hostname,Ports\n10.0.0.5,{name},22\n10.0.0.6,{name},[n/s]\n")
    assert [len(host.services) for host in inventory.hosts] == [1, 0]


def test_a_name_is_the_hosts_where_no_other_column_has_one():
    inventory = read("name,ip,port\ndb01,10.0.0.5,22\n", "name,port\ndb01,5432\n")
    assert len(inventory.hosts) == 1


@pytest.mark.parametrize(
    ("heading", "row", "services"),
    [
        ("Server Name;IP Address;Ports open", "DB01;10.0.0.5;22", ["22/tcp ssh"]),
        ("Name;HostName;Protocol;PortNumber", "sw;10.0.0.2;telnet;2323", ["2323/tcp telnet"]),
        (
            "service_address;service_transport;service_port;service_protocol",
            "10.0.0.5;udp;161;snmp",
            ["161/udp snmp"],
        ),
        ("IP;Hostname;Port;Port Protocol", "10.0.0.5;db01;53;udp", ["53/udp domain"]),
        (
            "names;addresses;service_ports_tcp",
            "db01;10.0.0.5 10.0.0.6;22 5432",
            ["22/tcp ssh", "5432/tcp postgresql"],
        ),
        ("AssetName;Private IP;Listening Ports", "PC;10.0.0.5;3389", ["3389/tcp ms-wbt-server"]),
    ],
)
def test_columns_have_the_names_that_programs_give_them(heading, row, services):
    assert [*services_of(read(f"{heading}\n{row}\n")).values()] == [services]


def test_a_cell_of_several_addresses_names_one_host_that_other_files_find():
    table = 'name,ip_addresses,port\na,"10.0.0.1, 10.0.0.2",22\n'
    assert len(read(table, "ip,port\n10.0.0.2,80\n").hosts) == 1


@pytest.mark.parametrize(
    "heading", ["Dienste / Ports", "Services & Ports", "Ports (Services)", "Ports in use"]
)
def test_a_heading_that_names_services_and_ports_is_that_of_ports(heading):
    inventory = read(f'Server;Mgmt IP;{heading}\ndb;10.20.0.11;"22, 5432"\n')
    assert services_of(inventory) == {"database-1": ["22/tcp ssh", "5432/tcp postgresql"]}
    assert inventory.unread == ()


def test_a_cell_too_long_for_a_list_of_addresses_names_none_of_them():
    cell = "10.0.0.22 " * 400 + "10.0.0.119"
    assert len(read(f'ip_addresses,port\n"{cell}",22\n', "ip,port\n10.0.0.22,80\n").hosts) == 2


def test_beside_a_products_own_ports_a_row_for_a_host_lists_those_of_others():
    inventory = read(
        "host,ports,product,version\n"
        'db,"22, 5432",PostgreSQL,15.3\nmail,"25 110 143",Dovecot,2.3\nweb,"22 80 443 8080",nginx,1.26\n'
        'own,"22 8080",Own App,3\nodd,22,PostgreSQL,15.3\ngraf,"22 3000",Grafana,10.2\n'
    )
    assert [[each.label for each in host.services] for host in inventory.hosts] == [
        ["ssh", "PostgreSQL 15.3"],
        ["Dovecot 2.3"] * 3,
        ["ssh", "nginx 1.26", "nginx 1.26", "nginx 1.26"],
        ["ssh", "Product-1 3"],
        ["PostgreSQL 15.3"],
        ["ssh", "Grafana 10.2"],
    ]
    assert notes(inventory)["services that nobody names, guessed by the number of their port"] == 4


def test_a_service_of_a_row_for_a_host_is_not_that_of_a_port_whose_number_is_for_another():
    inventory = read(
        "Hostname,Open Ports,Service,Version\n"
        'db,"22, 5432",PostgreSQL,15.3\nad,"88, 389, 3389",Active Directory,2019\n'
        'sw,"22, 161/udp",Own OS,15.2\n'
        'web,"22/ssh, 80, 8443",https,\nown,"7777, 7778",billing,\nodd,22,PostgreSQL,15.3\n'
    )
    assert [[each.shown for each in host.services] for host in inventory.hosts] == [
        ["ssh", "PostgreSQL 15.3"],
        ["kerberos-sec", "ldap", "ms-wbt-server"],
        ["ssh", "snmp"],
        ["ssh", "http", "http"],
        ["open, not identified"] * 2,
        ["PostgreSQL 15.3"],
    ]
    guessed = [each.place for host in inventory.hosts for each in host.services if each.is_guess]
    assert guessed == ["22/tcp", "88/tcp", "389/tcp", "3389/tcp", "22/tcp", "161/udp"]


def test_a_heading_that_is_not_the_first_line_is_said_to_be_missing():
    with pytest.raises(InventoryError, match="The first line has to be the heading"):
        read("Inventory of servers;;\nHost;IP;Port\na;10.0.0.5;22\n")


def test_https_of_several_ports_is_plain_at_those_of_http_and_of_imap():
    inventory = read('host,ports,service\na,"80, 443, 8080, 9999",https\nb,"143, 993",imaps\n')
    tls = {
        f"{service.place}": service.tls is not None for host in inventory.hosts for service in host.services
    }
    assert tls == {
        "80/tcp": False,
        "443/tcp": True,
        "8080/tcp": False,
        "9999/tcp": True,
        "143/tcp": False,
        "993/tcp": True,
    }


@pytest.mark.parametrize("column", ["device;port", "switch;port"])
def test_hosts_on_one_switch_of_phpipam_are_not_one_host(column):
    """A port there is the switch's."""
    heading = f"ip address;ip state;hostname;{column}\n"
    inventory = read(heading + "10.0.0.5;Active;a.example;sw1;Gi0/4\n10.0.0.6;Active;b.example;sw1;\n")
    assert len(inventory.hosts) == 2


def test_what_listens_on_loopback_is_not_there_for_others():
    heading = "device_name,listening_ip,port\n"
    inventory = read(heading + "a,127.0.0.1,5432\na,::1,6379\na,0.0.0.0,22\na,10.0.0.5,80\n")
    assert services_of(inventory) == {"web-1": ["22/tcp ssh", "80/tcp http"]}
    assert notes(inventory)["services that listen on their host's loopback only, left out"] == 2


def test_a_protocol_beside_the_transport_says_what_is_spoken():
    inventory = read("address,port,transport,protocol,service_products\n10.0.0.5,2222,tcp,ssh,OpenSSH 9.2\n")
    assert services_of(inventory) == {"remote-1": ["2222/tcp OpenSSH 9.2"]}
    inventory = read("address,port,transport,protocol\n10.0.0.5,2222,tcp,ssh\n10.0.0.5,53,udp,dns\n")
    assert [each.shown for each in inventory.hosts[0].services] == ["domain", "ssh"]


def test_a_version_belongs_to_a_service_that_is_called_by_its_software():
    rows = "a,5432,PostgreSQL,15.3\na,5433,postgresql,15.3\na,80,nginx,1.26\na,22,SSH,2.0\n"
    inventory = read(f"host,port,service,version\n{rows}")
    assert [(each.product, each.version) for each in inventory.hosts[0].services] == [
        (None, "2.0"),
        ("nginx", "1.26"),
        ("PostgreSQL", "15.3"),
        (None, "15.3"),
    ]


def test_a_product_may_hold_its_version():
    inventory = read("host,port,software\na,5432,PostgreSQL 15.3\nb,80,nginx/1.26\n")
    found = {each.product: each.version for host in inventory.hosts for each in host.services}
    assert found == {"PostgreSQL": "15.3", "nginx": "1.26"}
