import codecs
import re

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError

TABLE = """\
host,ip,port,protocol,product,version
web01.corp.example,10.0.0.1,443,tcp,nginx,1.26.3
web01.corp.example,10.0.0.1,22,tcp,OpenSSH,9.2p1
db01.corp.example,10.0.0.2,5432,tcp,PostgreSQL,15.3
ns.corp.example,10.0.0.3,53,udp,BIND,9.18
"""
READ = {
    "web-1": ["22/tcp OpenSSH 9.2p1", "443/tcp nginx 1.26.3"],
    "database-1": ["5432/tcp PostgreSQL 15.3"],
    "dns-1": ["53/udp BIND 9.18"],
}


def refused(text: str | bytes) -> str:
    with pytest.raises(InventoryError) as error:
        read(text, file_format="csv")
    return str(error.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_table_reads_the_same_in_every_encoding_with_every_separator(separator, encoding, ending):
    text = TABLE.replace(",", separator).replace("\n", ending)
    inventory = read(text.encode(encoding))
    assert services_of(inventory) == READ
    assert [source.format for source in inventory.sources] == ["csv"]


def test_a_spreadsheets_own_line_about_the_separator_is_understood():
    assert services_of(read("sep=;\r\n" + TABLE.replace(",", ";"))) == READ


def test_a_fault_under_a_line_about_the_separator_names_its_line():
    assert "file1:3: '70000' in the column 'port'" in refused("sep=;\nhost;port\na;70000\n")


def test_that_naabus_table_denies_tls_says_nothing():
    rows = "host,ip,port,protocol,tls,cdn,cdn-name,timestamp\n,10.0.0.5,443,tcp,false,false,,x\n"
    assert read(rows).hosts[0].services[0].tls is not None


def test_rows_of_one_host_are_one_host_and_a_service_listed_twice_is_said():
    inventory = read(TABLE + "WEB01.corp.example,10.0.0.1/24,443,tcp,,\n")
    assert services_of(inventory) == READ
    assert notes(inventory)["services that the table lists twice, merged"] == 1


def test_a_cell_may_list_ports_and_a_row_may_have_none():
    inventory = read('name,ports\na,"80, 443/tcp"\nb,{53/udp}\nc,\n')
    assert [[service.place for service in host.services] for host in inventory.hosts] == [
        ["80/tcp", "443/tcp"],
        ["53/udp"],
        [],
    ]


def test_a_column_called_protocol_may_hold_what_is_spoken():
    [host] = read("host,port,protocol\na,8088,HTTP\n").hosts
    assert (host.services[0].name, host.services[0].transport, host.role) == ("http", "tcp", "web")


@pytest.mark.parametrize(
    ("row", "name", "tls"),
    [
        ("a,8088,HTTPS", "http", True),
        ("a,1993,imaps", "imap", True),
        ("a,443,HTTP", "http", True),
        ("a,8080,HTTP", "http", False),
        ("a,443/udp,HTTP", "http", False),
        ("a,5555,TLS", None, True),
    ],
)
def test_what_names_a_protocol_inside_tls_is_that_protocol_with_tls(row, name, tls):
    [host] = read(f"host,port,service\n{row}\n").hosts
    assert (host.services[0].name, host.services[0].tls is not None) == (name, tls)


@pytest.mark.parametrize(
    ("cell", "is_tls"),
    [
        ("yes", True),
        ("TLSv1.2", True),
        ("tls 1.3", True),
        ("X", True),
        ("no", False),
        ("FALSE", False),
        ("none", False),
    ],
)
def test_a_table_says_whether_a_service_speaks_tls_whatever_its_port(cell, is_tls):
    inventory = read(f"host,port,tls\na,443,{cell}\nb,8080,{cell}\n")
    assert [host.services[0].tls is not None for host in inventory.hosts] == [is_tls, is_tls]
    assert "services on ports of TLS that are taken to speak it" not in notes(inventory)


@pytest.mark.parametrize("cell", ["", "-", "unknown"])
def test_without_a_word_on_tls_the_port_decides(cell):
    inventory = read(f"host,port,tls\na,443,{cell}\nb,8080,{cell}\n")
    assert [host.services[0].tls is not None for host in inventory.hosts] == [True, False]


def test_who_calls_a_service_https_says_that_it_speaks_tls():
    [host] = read("host,port,service,tls\na,8443,https,no\n").hosts
    assert (host.services[0].name, host.services[0].tls is not None) == ("http", True)


def test_a_scan_that_saw_tls_counts_more_than_a_table_that_denies_it():
    scan = (
        '<nmaprun><host><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/><ports>'
        '<port protocol="tcp" portid="8443"><state state="open"/>'
        '<service name="http" tunnel="ssl" method="probed"/></port></ports></host></nmaprun>'
    )
    [host] = read("ip,port,tls\n10.0.0.1,8443,no\n", scan).hosts
    assert host.services[0].tls is not None


def test_a_word_that_is_neither_yes_nor_no_is_a_fault_with_its_row_and_column():
    said = refused("host,port,SSL\na,443,maybe\nb,,tls13x\nc,80,no\n")
    assert "file1:2: 'maybe' in the column 'ssl' is neither yes nor no; write yes, true or 1, or no" in said
    assert "file1:3: 'tls13x' in the column 'ssl'" in said
    assert "2 problems" in said


def test_columns_that_are_not_read_are_named_once_for_a_file_and_never_kept():
    table = "host,port,Prodcut,Owner of it,\n" + "a,443,nginx,Finance,x\n" * 3
    inventory = read(table, "host,tls,cpe,banner,http_title,role\nb,,,,,\n")
    assert inventory.unread == ("file1: nothing is read from these columns: 'Prodcut', 'Owner of it'",)
    assert "Owner" not in inventory.model_dump_json()
    [sentence] = read("host,port," + ",".join(f"own{number}" for number in range(25)) + "\na,80\n").unread
    assert (sentence.count("'own"), sentence[-11:]) == (20, " and 5 more")


def test_a_port_alone_is_taken_for_what_its_number_is_for_and_that_is_said():
    inventory = read("host,port,product\na,25;53/udp,\nb,443,\nc,4711,\nd,25,Own thing\n")
    services = [service for host in inventory.hosts for service in host.services]
    assert [(each.place, each.name, each.tls is not None, each.confidence) for each in services] == [
        ("25/tcp", "smtp", False, 0.3),
        ("53/udp", "domain", False, 0.3),
        ("443/tcp", "http", True, 0.3),
        ("4711/tcp", None, False, 1.0),
        ("25/tcp", None, False, 1.0),
    ]
    said = "services that nobody names, guessed by the number of their port"
    assert notes(inventory)[said] == 3


@pytest.mark.parametrize(
    ("product", "role"),
    [("Grafana", "monitoring"), ("Gitea", "code"), ("Jenkins", "build"), ("Elasticsearch", "search")],
)
def test_software_that_is_reached_by_http_is_known_by_it_and_keeps_its_role(product, role):
    [host] = read(f"host,port,product,version\na,7000,{product},10.2\n").hosts
    assert (host.role, host.services[0].name, host.services[0].product) == (role, "http", product)


def test_all_faults_are_found_at_once_each_with_its_line():
    message = refused(
        "host,port\na,070\nb,70000\nc,443\n,80\nd,80-90\ne,http\nf,80,x\ng,\uff18\uff10\nh,billing/80\n"
    )
    assert message.splitlines() == [
        "the inventory has 8 problems; nothing was imported",
        "  file1:2: '070' in the column 'port' is not a port; write it without zeros before it",
        "  file1:3: '70000' in the column 'port' is not a port; ports are 1 to 65535",
        "  file1:5: names no host in 'host'; write it in each row, also where cells were merged",
        "  file1:6: '80-90' in the column 'port' is not a port; list ports one by one, without ranges",
        "  file1:7: 'http' in the column 'port' is not a port; ports are 1 to 65535",
        "  file1:8: has 3 cells; the heading has 2",
        "  file1:9: '\uff18\uff10' in the column 'port' is not a port; ports are 1 to 65535",
        "  file1:10: 'billing/80' in the column 'port' is not a port; expected 443, 443/tcp or 443/https",
    ]


def test_of_many_faults_the_first_are_shown_and_all_are_counted():
    message = refused("host,port\n" + "a,x\n" * 5000)
    assert "5,000 problems" in message
    assert len(message.splitlines()) == 22
    assert message.endswith("and 4,980 more")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("host,port\na\x00,80\n", "file1: holds the character NUL"),
        (
            b"host,port\n\xe4,80\n",
            "file1: is not UTF-8 at byte 10, in line 2; save it as UTF-8 (a spreadsheet's",
        ),
        (codecs.BOM_UTF16_LE + b"h", "file1: is not UTF-16 at byte"),
        ("port,product\n80,nginx\n", "file1:1: has no column that names the host"),
        ("host,port,host\na,1,b\n", "file1:1: has the column 'host' twice"),
        ("just a text\n", "file1:1: has one column"),
        ('host,port\n"a,80\nb,90\n', "file1:3: is not CSV"),
        ("host,port\n" + "a" * 200_000 + ",80\n", "file1:2: is not CSV: field larger than field limit"),
        ("host," * 300 + "port\n", "file1:1: has 301 columns; at most 200 are allowed"),
        ("host,port\na," + "80 " * 300, "file1:2: lists 300 ports; at most 200 are allowed"),
    ],
)
def test_a_file_that_is_no_table_is_refused(text, fault):
    assert fault in refused(text)


def test_formulas_and_commands_are_inert():
    text = (
        'host,port,product,version\n"=HYPERLINK(""http://x"")",80,"=cmd|\'/C calc\'!A0","@SUM(1+1)"\n'
        '"+1",81,-2+3,"\x1b[31m9"\n'
    )
    for inventory in (read(text), read(text, keep_names=True)):
        for host in inventory.hosts:
            for service in host.services:
                for said in (host.name, service.product, service.version):
                    assert said is None or said[0].isalnum()
                    assert not set("=@|!\x1b\"'") & set(said or "")


def test_names_may_be_kept():
    inventory = read(TABLE, keep_names=True)
    assert [host.name for host in inventory.hosts] == ["web01", "db01", "ns"]
    assert inventory.names_kept


def test_kept_names_that_become_equal_are_numbered():
    inventory = read("host,port\ndb.a.example,1\ndb.b.example,1\nDB_,1\n10.0.0.9,1\n", keep_names=True)
    assert [host.name for host in inventory.hosts] == ["db", "db-2", "db-3", "host-1"]
    assert notes(inventory) == {"hosts whose names became equal, numbered": 2}


def test_no_name_and_no_address_of_the_network_is_kept():
    inventory = read(
        "host,ip,port,product,version,title,banner\n"
        "pinehub.corp.example,10.9.8.7,443,Pinehub Portal on nginx,1.2 pinehub,Pinehub Oslo,pinehub ready\n"
        "fw7,fe80::1,22,OpenSSH (fw7),9.9,,\n"
        "x,10.9.8.6,80,portal.corp.example,10.9.8.6,Welcome to nginx!,\n"
        "y,10.9.8.5,80,ask admin@corp.example,2,,\n"
    )
    written = inventory.model_dump_json().casefold()
    for word in ("pinehub", "corp", "oslo", "10.9", "fe80", "fw7", "admin", "ready"):
        assert word not in written
    assert [service.label for host in inventory.hosts for service in host.services] == [
        "nginx",
        "OpenSSH 9.9",
        "Product-1",
        "Product-2 2",
    ]
    assert inventory.hosts[2].services[0].title == "Welcome to nginx!"


def test_one_name_at_two_addresses_is_one_host_and_is_said():
    inventory = read("host,ip,port\nweb1,10.0.0.1,80\nweb1,10.0.0.2,443\nweb1,10.0.0.2,22\n")
    assert [len(host.services) for host in inventory.hosts] == [3]
    assert notes(inventory)["rows of a host that other rows give another address, merged by its name"] == 1


@pytest.mark.parametrize("name", ["unknown", "N/A", "-", "localhost"])
def test_what_stands_for_no_name_makes_no_two_hosts_one(name):
    inventory = read(f"host,ip,port\n{name},10.0.0.1,80\n{name},10.0.0.2,80\n")
    assert len(inventory.hosts) == 2
    # An address in a column that means nothing here is none: the fault says where it was looked for.
    row = f"Host,IP of it,port\n{name},192.0.2.42,80\n"
    assert "file1:2: names no host in 'Host'; write it" in refused(row)


@pytest.mark.parametrize(
    "cell",
    [
        "10.0.0.999",
        "10.0.0.0/24",
        "10.0.0.1-20",
        "10.0.0.1-10.0.0.20",
        "10.0.0.1:443",
        "10.0.0.1/33",
        "fd00::/64",
        "FD00::1/129",
        "[fd00::1]:443",
    ],
)
@pytest.mark.parametrize("column", ["ip", "host"])
def test_what_is_nearly_an_address_is_a_fault_and_no_name(cell, column):
    with pytest.raises(InventoryError, match=re.escape(f"file1:2: '{cell}' is not the address of a host")):
        read(f"{column},port\n{cell},80\n")


def test_an_address_with_zeros_before_its_numbers_is_a_fault_that_writes_it_without():
    with pytest.raises(InventoryError) as refused:
        read("ip,port\n010.000.000.001,80\n10.0.0.01/24,80\n10.0.0.0999,80\n")
    said = "has zeros before a number, which programs read differently; write"
    assert f"file1:2: '010.000.000.001' {said} 10.0.0.1\n" in str(refused.value)
    assert f"file1:3: '10.0.0.01/24' {said} 10.0.0.1/24\n" in str(refused.value)
    assert "file1:4: '10.0.0.0999' is not the address of a host" in str(refused.value)


def test_a_row_that_names_a_product_and_no_port_is_counted():
    inventory = read("host,port,product,service\na,22,,\na,,nginx,\na,,,https\na,,,\n")
    assert services_of(inventory) == {"remote-1": ["22/tcp ssh"]}
    said = "rows that name a service or a product and no port, of which only the host is read"
    assert notes(inventory)[said] == 2


def test_a_version_without_a_product_is_noted_and_shown_with_the_service():
    inventory = read("host,port,service,version\ndb,5432,postgresql,16\nx,9,,3\ny,80,http,\n")
    assert {each.what: each.count for each in inventory.notes}[
        "versions of which the table names no product, as a column 'product' would"
    ] == 2
    assert [each.services[0].shown for each in inventory.hosts] == [
        "postgresql 16",
        "open, not identified",
        "http",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "10.0.0.1",
        "10.0.0.1/24",
        "10.0.0.0/31",
        "10.0.0.0/32",
        "10.0.0.1.example",
        "10-0-0-1.example",
        "fd00::1",
        "fd00::1/64",
        "fd00::/127",
        "[fd00::1]",
        "fe80::1%eth0",
        "00:53:00:00:00:01",
    ],
)
def test_addresses_with_a_prefix_length_and_names_with_digits_are_hosts(cell):
    assert len(read(f"host,port\n{cell},80\n").hosts) == 1


def test_lines_that_contradict_each_other_are_named_and_not_kept():
    rows = [
        "web1,443,nginx,1.26.3",
        "web1,443,Apache httpd,2.4",
        "web1,443,nginx,1.26",
        "web1,443,nginx,1.28",
    ]
    inventory = read("host,port,product,version\n" + "\n".join(rows))
    assert [sentence.split(" names ")[0] for sentence in inventory.contradicting] == ["file1:3:", "file1:5:"]
    assert (inventory.hosts[0].services[0].product, inventory.hosts[0].services[0].version) == (
        "nginx",
        "1.26.3",
    )
    assert "file1" not in inventory.model_dump_json()


def test_of_many_contradicting_lines_some_are_named_and_all_counted():
    rows = [f"web{number},443,{product},1.2" for product in ("nginx", "Apache httpd") for number in range(25)]
    contradicting = read("host,port,product,version\n" + "\n".join(rows)).contradicting
    assert (len(contradicting), contradicting[-1]) == (21, "5 more such lines")


def test_columns_of_addresses_and_ports_have_the_names_that_programs_give_them():
    assert services_of(read("host,IPAddress,Open Ports\na,10.0.0.1,443\n")) == {"web-1": ["443/tcp http"]}


def test_an_inventory_without_a_port_says_what_the_column_is_called():
    said = "no file names an open port; in a table, call their column port, ports or port_number"
    inventory = read("host,ip,Listens On\na,10.0.0.1,443\n", "host,owner\nb,c\n")
    assert inventory.unread[2:] == (said,)
    assert said not in read("host,owner\na,c\n", "host,port\nb,80\n").unread
