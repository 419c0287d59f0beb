"""Hosts that several files describe, joined by address and by name, and what the notes say of it."""

import json
import time
from itertools import permutations

import pytest
from made_networks import READ_AT
from read_files import notes, read, services_of

from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.reading import InventoryFile, read_inventory

BY_NAME = "hosts joined by name: one file has the full name, another its first part"
HOSTS = "hosts that several files describe, joined"
SERVICES = "services that several files describe, joined"
APART = "hosts without an address whose name may be that of one in other files: kept apart"


def scan(**hosts: str) -> str:
    """A scan that found OpenSSH on each host: address by name, with underscores for dots and hyphens."""
    return (
        '<nmaprun args="nmap -sV -p-">'
        + "".join(
            f'<host><status state="up"/><address addr="{address}" addrtype="ipv4"/><hostnames>'
            f'<hostname name="{name.replace("_", ".")}"/></hostnames><ports><port protocol="tcp" portid="22">'
            '<state state="open"/><service name="ssh" product="OpenSSH" method="probed" conf="10"/></port>'
            "</ports></host>"
            for name, address in hosts.items()
        )
        + '<runstats><finished time="1"/></runstats></nmaprun>'
    )


DISCOVERED = '{"type":"discovery","kind":"service","key":"10.0.0.5:22/tcp","data":{},"confidence":1}'


def test_three_files_of_different_kinds_about_one_host_are_noted_once_and_nothing_stands_twice():
    table = "host,ip,port,product\nweb1,10.0.0.5,22,OpenSSH\n"
    inventory = read(scan(web1_corp_example="10.0.0.5"), table, DISCOVERED)
    assert len(inventory.hosts) == 1
    assert notes(inventory) == {HOSTS: 1, SERVICES: 1}


def test_what_one_file_lists_twice_is_said_of_that_file_only():
    twice = "host,ip,port,product\n" + 2 * "web1,10.0.0.5,22,OpenSSH\n"
    inventory = read(scan(web1_corp_example="10.0.0.5"), twice)
    assert notes(inventory) == {HOSTS: 1, SERVICES: 1, "services that the table lists twice, merged": 1}


@pytest.mark.parametrize("table", ["web1", "WEB1", "web1.corp.example", "Web1.Corp.example."])
def test_a_short_name_and_the_one_full_name_that_begins_so_are_one_host(table):
    files = scan(web1_corp_example="10.0.0.5", db1_corp_example="10.0.0.6"), f"host,port\n{table},443\n"
    for order in (files, files[::-1]):
        inventory = read(*order)
        assert sorted(map(tuple, services_of(inventory).values())) == [
            ("22/tcp OpenSSH",),
            ("22/tcp OpenSSH", "443/tcp http"),
        ]
        assert notes(inventory)[BY_NAME] == 1


@pytest.mark.parametrize(
    ("scanned", "table"),
    [
        # Two full names begin so.
        ({"web1_corp_example": "10.0.0.5", "web1_lab_example": "10.0.0.6"}, "host,port\nweb1,443\n"),
        # One name, two hosts with addresses.
        ({"web1": "10.0.0.5", "web1_corp_example": "10.0.0.6"}, "host,port\nweb1,443\n"),
        # Two hosts of the table.
        ({"web1_corp_example": "10.0.0.5"}, "host,port\nweb1,443\nweb1.corp.example,80\n"),
        ({"web1_corp_example": "10.0.0.5"}, "host,port\nweb1.lab.example,443\nweb1.corp.example,80\n"),
    ],
)
def test_where_a_name_fits_several_hosts_none_is_joined_and_a_note_says_so(scanned, table):
    inventory = read(scan(**scanned), table)
    assert len(inventory.hosts) == len(scanned) + len(table.splitlines()) - 1
    assert BY_NAME not in notes(inventory)
    assert notes(inventory)[APART] >= 1


@pytest.mark.parametrize(
    "table",
    [
        # Another address, another host.
        "host,ip,port\nweb1,10.0.0.9,443\n",
        # Begins so, and is another name.
        "host,port\nweb10,443\n",
        "host,port\nweb,443\n",
    ],
)
def test_another_address_or_another_first_part_is_another_host(table):
    inventory = read(scan(web1_corp_example="10.0.0.5"), table)
    assert len(inventory.hosts) == 2
    assert notes(inventory).keys().isdisjoint({BY_NAME, APART, HOSTS})


def test_services_of_compose_files_and_devices_of_sites_are_hosts_of_their_own():
    projects = [f"services:\n  db:\n    image: postgres:{version}\n" for version in (13, 15)]
    inventory = read(*projects, scan(db_corp_example="10.0.0.5"))
    assert len(inventory.hosts) == 3
    assert APART in notes(inventory)
    files = [InventoryFile("compose.yml", project.encode()) for project in projects]
    assert len(read_inventory(files, READ_AT).hosts) == 2
    sites = [
        json.dumps({"stream": "latest", "entities": [{"device": {"name": "sw1", "site": {"name": site}}}]})
        for site in ("Oslo", "Bergen")
    ]
    assert len(read(*sites).hosts) == 2
    assert notes(inventory).keys().isdisjoint({BY_NAME, HOSTS})


def test_a_device_of_a_site_that_a_scan_found_by_its_address_is_joined_and_doubt_keeps_others_apart():
    table = "host,ip,port,product\nweb1,,443,nginx\n"
    device = {"name": "web1", "site": {"name": "Oslo"}}
    for address, hosts in (("10.0.0.5", 1), ("10.0.0.9", 3)):
        known = device | {"primary_ip4": {"address": f"{address}/24"}}
        diode = json.dumps({"stream": "latest", "entities": [{"device": known}]})
        files = diode, scan(web1_corp_example="10.0.0.5"), table
        for order in permutations(files):
            inventory = read(*order)
            assert len(inventory.hosts) == hosts
            assert (APART in notes(inventory)) == (hosts == 3)


def offline(name: str) -> dict[str, object]:
    """Return a device of NetBox that does not run."""
    url = "https://netbox.example/api/dcim/devices/7/"
    return {"id": 7, "url": url, "name": name, "status": {"value": "offline"}}


def test_a_host_that_does_not_run_takes_none_with_it():
    netbox = json.dumps({"count": 1, "results": [offline("web1.old.example")]})
    table = "host,ip,port,product\nweb1,10.0.0.1,443,nginx\n"
    for files in ((netbox, table), (table, netbox)):
        assert list(services_of(read(*files)).values()) == [["443/tcp nginx"]]


def test_what_a_scan_found_runs_whatever_netbox_says_and_netbox_knows_its_services():
    device = offline("web1")
    service = {
        "id": 8,
        "url": "https://netbox.example/api/ipam/services/8/",
        "name": "OpenSSH 9.2",
        "protocol": {"value": "tcp"},
        "ports": [22, 2222],
        "device": {"id": 7, "name": "web1"},
    }
    found = scan(web1_corp_example="10.0.0.5")
    table = "host,port,product\nweb1,443,nginx\n"
    # It is the scanned host by its name or by its address; with another address it is in nobody's way.
    for address, services in (
        (None, ["22/tcp OpenSSH 9.2", "443/tcp nginx", "2222/tcp OpenSSH 9.2"]),
        ("10.0.0.5", ["22/tcp OpenSSH 9.2", "443/tcp nginx", "2222/tcp OpenSSH 9.2"]),
        ("10.0.0.9", ["22/tcp OpenSSH", "443/tcp nginx"]),
    ):
        known = device | ({"primary_ip4": {"address": f"{address}/24"}} if address else {})
        netbox = json.dumps({"results": [known, service]})
        for order in permutations((netbox, found, table)):
            assert list(services_of(read(*order)).values()) == [services]


def test_a_host_that_was_joined_is_joined_further_by_its_other_name_in_any_order():
    files = scan(a_example="10.0.0.5"), "host,fqdn,port\na,b,80\n", "host,port\nb.example,443\n"
    for order in permutations(files):
        inventory = read(*order)
        assert len(inventory.hosts) == 1
        assert notes(inventory)[BY_NAME] == 2


def test_what_several_files_say_of_a_service_depends_on_how_sure_they_are_and_not_on_their_order():
    def found(confidence, **data):
        certificate = {"subject": f"CN={confidence}", "issuer": "CN=x"} if confidence < 0.7 else None
        return "\n".join(
            json.dumps(
                {"type": "discovery", "kind": kind, "key": "10.0.0.5:443/tcp", "data": said}
                | {"confidence": confidence}
            )
            for kind, said in (("service", data), ("certificate", certificate))
            if said
        )

    files = (
        found(0.7, product="nginx"),
        found(0.6, product="Apache httpd", cpe=["cpe:/a:apache:http_server"], banner="guessed"),
        found(0.5, product="nginx", cpe=["cpe:/a:igor_sysoev:nginx"], banner="unsure"),
    )
    for order in permutations(files):
        [host] = read(*order, keep_names=True).hosts
        [service] = host.services
        assert (service.product, service.cpe) == ("nginx", ("cpe:/a:igor_sysoev:nginx",))
        assert (service.banner, service.tls.subject) == ("guessed", "CN=0.6")


def test_many_hosts_whose_many_names_begin_alike_are_compared_soon():
    findings = Findings()
    findings.begin_source("a file")
    for number in range(600):
        host = findings.host([f"address {number}"])
        host.is_said_to_run = True
        for name in range(50):
            host.add_name(f"n{name}.h{number}")
    begun = time.process_time()
    findings.join_by_names()
    assert time.process_time() - begun < 1.5


def test_names_without_a_word_join_nothing():
    inventory = read("host,port\n.,22\n", "host,port\n..,22\n", scan(web1_corp_example="10.0.0.5"))
    assert len(inventory.hosts) == 3


def test_addresses_without_names_are_never_joined_by_their_first_number():
    inventory = read("host,port\n10.0.0.5,22\n", "host,port\n10,22\n")
    assert len(inventory.hosts) == 2


CONTRADICT = "files contradict each other about a service"


def contradictions(inventory):
    said = notes(inventory)
    listed = [what for what in said if what.startswith("files contradict each other: ")]
    return said.get(CONTRADICT, 0), [what.removeprefix("files contradict each other: ") for what in listed]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            "nginx,1.26",
            "Apache,2.4",
            "nginx 1.26 of file 1 counts, not Apache 2.4 of file 2, which comes later",
        ),
        ("nginx,", "Apache,2.4", "Apache 2.4 of file 2 counts, not nginx of file 1, which knows no version"),
        (
            "nginx,1.26",
            "nginx,1.27",
            "nginx 1.26 of file 1 counts, not nginx 1.27 of file 2, which comes later",
        ),
        (
            "nginx,1.26",
            "Secret-Shop,3",
            "nginx 1.26 of file 1 counts, not another product 3 of file 2, which comes later",
        ),
        ("nginx,1.26", "nginx,1.26.3", None),
        ("nginx,1.26", "NGINX,", None),
        ("Postfix smtpd,", "postfix,3.10", None),
        ("nginx,1.26", ",", None),
    ],
)
def test_what_files_say_otherwise_of_a_service_is_listed_with_what_counts_and_why(first, second, said):
    tables = (f"host,port,product,version\nweb1,80,{each}\n" for each in (first, second))
    number, listed = contradictions(read(*tables))
    assert (number, listed) == ((1, [f"web-1 80/tcp: {said}."]) if said else (0, []))


def test_a_contradiction_between_long_names_is_cut_nowhere():
    products = (f"{name} Infrastructure Services for Departments, Long Term Edition" for name in "AB")
    tables = (f'host,port,product,version\nweb1,80,"{each}",{"10." * 15}1\n' for each in products)
    [listed] = contradictions(read(*tables, keep_names=True))[1]
    assert len(listed) > 200
    assert listed.endswith(" of file 2, which comes later.")


def test_a_scan_that_a_table_contradicts_does_not_count_and_many_contradictions_are_counted():
    table = "host,ip,port,product\nweb1,10.0.0.5,22,Dropbear\n"
    assert contradictions(read(scan(web1="10.0.0.5"), table))[1] == [
        "remote-1 22/tcp: Dropbear of file 2 counts, not OpenSSH of file 1, which is a scan's."
    ]
    tables = [
        "host,port,product\n" + "".join(f"web{n},{port},{product}\n" for n in range(100) for port in (80, 81))
        for product in ("nginx", "Apache", "Caddy")
    ]
    number, listed = contradictions(read(*tables))
    assert (number, len(listed)) == (400, 20)


def test_of_equally_sure_products_the_first_file_s_counts_whoever_names_the_protocol():
    tables = "host,port,product\nweb1,80,nginx\n", "host,port,product,service\nweb1,80,Apache,http\n"
    assert services_of(read(*tables)) == {"web-1": ["80/tcp nginx"]}
    assert services_of(read(*tables[::-1])) == {"web-1": ["80/tcp Apache"]}


def test_a_host_that_turns_out_to_be_one_of_a_report_keeps_its_image_and_whose_it_is():
    findings = Findings()
    findings.host(["address 10.0.0.7"])
    rehearsed = findings.host(["name db"])
    rehearsed.image, rehearsed.image_id, rehearsed.rehearsed = "discovery/test-db:1", "sha256:1", "small"
    joined = findings.host(["address 10.0.0.7", "name db"])
    assert (joined.image, joined.image_id, joined.rehearsed) == ("discovery/test-db:1", "sha256:1", "small")
