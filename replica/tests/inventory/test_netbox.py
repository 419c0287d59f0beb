import json
import time

import pytest
from netbox_export import netbox_export
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError

DEVICE = {
    "id": 7,
    "url": "https://netbox.example/api/dcim/devices/7/",
    "name": "db-7.pinehub.example",
    "role": {"name": "Database"},
    "primary_ip4": {"address": "10.0.0.7/24"},
}
SERVICE = {
    "id": 1,
    "url": "https://netbox.example/api/ipam/services/1/",
    "device": {"id": 7, "name": "db-7.pinehub.example"},
    "name": "PostgreSQL 15.3",
    "protocol": {"value": "tcp"},
    "ports": [5432],
}
ADDRESS = {
    "id": 1,
    "url": "https://netbox.example/api/ipam/ip-addresses/1/",
    "address": "10.0.0.8/24",
    "assigned_object": {"id": 1, "name": "eth0", "device": {"id": 7, "name": "db-7.pinehub.example"}},
}
READ = {"database-1": ["5432/tcp PostgreSQL 15.3"]}


def page(*results, count=None):
    return json.dumps({"count": count or len(results), "next": None, "results": results})


def refused(*texts: str) -> str:
    with pytest.raises(InventoryError) as error:
        read(*texts, file_format="netbox")
    return str(error.value)


def test_files_of_one_kind_each_are_joined_by_netboxs_numbers_in_any_order():
    for files in ((page(DEVICE), page(ADDRESS), page(SERVICE)), (page(SERVICE), page(ADDRESS), page(DEVICE))):
        inventory = read(*files)
        assert services_of(inventory) == READ
        assert {source.format for source in inventory.sources} == {"netbox"}


def test_one_file_may_hold_lists_or_an_object_of_lists():
    assert services_of(read(json.dumps([DEVICE, SERVICE]))) == READ
    assert services_of(read(json.dumps({"devices": [DEVICE], "services": [SERVICE]}))) == READ
    assert (
        services_of(read(json.dumps({"devices": {"results": [DEVICE]}, "services": {"results": [SERVICE]}})))
        == READ
    )


def test_a_field_of_its_owners_may_be_called_as_another_programs():
    devices, services = ([each | {"custom_fields": {"device_id": 3}}] for each in (DEVICE, SERVICE))
    assert services_of(read(page(*devices), page(*services))) == READ
    assert services_of(read(json.dumps({"devices": devices, "services": services}))) == READ


def test_a_service_of_newer_versions_has_a_parent_of_any_kind():
    newer = {
        **SERVICE,
        "device": None,
        "parent_object_type": "dcim.device",
        "parent_object_id": 7,
        "parent": {"name": "db-7.pinehub.example"},
    }
    assert services_of(read(page(DEVICE), page(newer))) == READ


def test_a_service_of_newer_versions_has_ports_of_several_protocols():
    mapped = {**SERVICE, "port_mappings": ["tcp/53", "udp/53", "sctp/9"], "protocol": None, "ports": None}
    inventory = read(page(DEVICE), page({**mapped, "name": "BIND 9.20"}))
    assert services_of(inventory) == {"dns-1": ["53/tcp BIND 9.20", "53/udp BIND 9.20"]}
    assert notes(inventory)["ports of other protocols than TCP and UDP, left out"] == 1
    del mapped["ports"], mapped["url"]
    assert services_of(read(json.dumps([DEVICE, mapped]))) == {
        "database-1": ["53/tcp PostgreSQL 15.3", "53/udp PostgreSQL 15.3"]
    }
    refusal = refused(page(DEVICE), page({**mapped, "port_mappings": ["tcp/many", 53, "53", "/80"]}))
    assert "port_mappings[0]: 'many' is not a port" in refusal
    assert "port_mappings[1]: is not text; expected something such as tcp/443" in refusal
    assert "port_mappings[2]: '53' has no protocol; expected one such as tcp/443" in refusal
    assert "port_mappings[3]: '/80' has no protocol; expected one such as tcp/443" in refusal
    spaced = {**mapped, "port_mappings": [" tcp/5432 "]}
    assert services_of(read(json.dumps([DEVICE, spaced]))) == {"database-1": ["5432/tcp PostgreSQL 15.3"]}


def test_a_service_that_lists_no_port_is_counted():
    for ports in ({"ports": []}, {"port_mappings": [], "protocol": None, "ports": None}):
        inventory = read(page(DEVICE), page({**SERVICE, **ports}))
        assert notes(inventory)["services of NetBox that list no port, left out"] == 1
    table = read("ID,Name,Parent,Port Mappings\n1,SSH,db-7,\n2,SSH,db-8,tcp/22\n", file_format="netbox")
    assert notes(table)["services of NetBox that list no port, left out"] == 1


def test_a_host_that_only_services_name_is_counted():
    what = "hosts that only services name, and no device or virtual machine in the files"
    table = "ID,Name,Parent,Port Mappings\n1,SSH,db-7,tcp/22\n2,SSH,db-8,tcp/22\n"
    assert notes(read(table, file_format="netbox"))[what] == 2
    assert notes(read(page(SERVICE)))[what] == 1
    devices = "Name,Role,Site\ndb-7,Database,Ulm\ndb-8,Database,Ulm\n"
    for files in ((table, devices), (devices, table)):
        assert what not in notes(read(*files, file_format="netbox"))
    assert what not in notes(read(page(SERVICE), page(DEVICE)))
    assert what not in notes(read(page(SERVICE), page(ADDRESS)))
    scan = (
        '<nmaprun><host><status state="up"/><address addr="10.0.0.8" addrtype="ipv4"/>'
        '<hostnames><hostname name="db-7.pinehub.example"/></hostnames></host></nmaprun>'
    )
    assert what not in notes(read(page(SERVICE), scan))
    assert what not in notes(read(page(DEVICE), page(SERVICE)))


def test_a_custom_field_of_a_selection_is_its_label():
    for product in ("PostgreSQL", {"value": "pg", "label": "PostgreSQL"}):
        service = {**SERVICE, "name": "db", "custom_fields": {"product": product, "version": "15.3"}}
        assert services_of(read(page(DEVICE), page(service))) == READ


@pytest.mark.parametrize("choice", ["PostgreSQL", {"value": "pg", "label": "PostgreSQL"}])
def test_a_custom_field_of_several_choices_names_a_product_only_where_one_is_chosen(choice):
    chosen = {**SERVICE, "name": "db", "custom_fields": {"product": [choice], "version": "15.3"}}
    assert services_of(read(page(DEVICE), page(chosen))) == READ
    for several in (["MariaDB", choice], []):
        undecided = {**SERVICE, "custom_fields": {"product": several}}
        assert services_of(read(page(DEVICE), page(undecided))) == READ


def test_a_scan_of_an_address_of_the_export_is_of_the_same_host():
    scan = (
        '<nmaprun><host><status state="up"/><address addr="10.0.0.8" addrtype="ipv4"/><ports>'
        '<port protocol="tcp" portid="22"><state state="open"/></port></ports></host></nmaprun>'
    )
    assert services_of(read(page(DEVICE), page(ADDRESS), page(SERVICE), scan)) == {
        "database-1": ["22/tcp unknown", "5432/tcp PostgreSQL 15.3"]
    }


def test_devices_of_one_name_at_two_sites_are_two():
    other = {**DEVICE, "id": 8, "url": "https://netbox.example/api/dcim/devices/8/", "primary_ip4": None}
    assert len(read(page(DEVICE, other)).hosts) == 2


def test_a_name_of_a_service_says_product_or_protocol():
    def label(name: str, **fields: object) -> tuple[str | None, str | None, str | None]:
        [host] = read(page({**SERVICE, "name": name, "custom_fields": fields})).hosts
        [service] = host.services
        return service.name, service.product, service.version

    assert label("HTTPS") == ("http", None, None)
    assert label("nginx") == ("http", "nginx", None)
    assert label("Apache httpd v2.4.57") == ("http", "Apache httpd", "2.4.57")
    assert label("web", product="nginx", version="1.26") == ("http", "nginx", "1.26")
    assert label("pinehub-billing") == (None, "Product-1", None)


@pytest.mark.parametrize("status", ["planned", "inventory", "offline", "failed", "paused"])
def test_a_host_that_is_not_running_is_left_out_and_counted(status: str):
    other = {**DEVICE, "id": 8, "name": "db-8", "primary_ip4": None, "status": {"value": status}}
    inventory = read(page(DEVICE, other), page(SERVICE, {**SERVICE, "id": 9, "device": {"id": 8}}))
    assert services_of(inventory) == READ
    assert notes(inventory) == {f"hosts that NetBox calls {status}, left out": 1}
    table = f"Name,Status,Tenant,Role\ndb-7,Active,,Database\ndb-8,{status.title()},,Database\n"
    assert notes(read(table)) == {f"hosts that NetBox calls {status}, left out": 1}


@pytest.mark.parametrize("offline_first", [True, False])
def test_a_host_of_two_records_is_there_if_one_of_them_runs(offline_first: bool):
    runs = {**DEVICE, "status": {"value": "active"}}
    replaced = {**DEVICE, "id": 8, "name": "db-8", "status": "offline"}
    devices = (replaced, runs) if offline_first else (runs, replaced)
    assert list(services_of(read(page(*devices), page(SERVICE))).values()) == list(READ.values())
    rows = [f"db-7,{status},10.0.0.7/24" for status in ("Active", "Offline")]
    table = "\n".join(["Name,Status,IPv4 Address", *(rows[::-1] if offline_first else rows)])
    assert notes(read(table)) == {}


def test_addresses_of_hosts_that_are_left_out_are_not_counted():
    only_v6 = {"primary_ip4": None, "primary_ip6": {"address": "fd00::8/64"}, "status": {"value": "planned"}}
    inventory = read(page(DEVICE, {**DEVICE, "id": 8, "name": "db-8", **only_v6}), page(SERVICE))
    assert notes(inventory) == {"hosts that NetBox calls planned, left out": 1}


def test_a_host_that_a_scan_found_is_there_whatever_its_status_says():
    scan = (
        '<nmaprun><host><status state="up"/><address addr="10.0.0.7" addrtype="ipv4"/><ports>'
        '<port protocol="tcp" portid="22"><state state="open"/></port></ports></host></nmaprun>'
    )
    planned = page({**DEVICE, "status": {"value": "planned"}})
    for files in ((planned, scan), (scan, planned)):
        assert services_of(read(*files)) == {"remote-1": ["22/tcp unknown"]}
    assert "describes no host that runs" in refused(planned)


def test_pages_of_one_list_are_counted_together():
    other = {**DEVICE, "id": 8, "name": "db-8", "primary_ip4": None}
    assert notes(read(page(DEVICE, count=2), page(other, count=2))) == {}
    said = "objects on further pages of a list, which are in no file: export these too"
    assert notes(read(page(DEVICE, count=3), page(other, count=3))) == {said: 1}
    # A page given twice is read once, and the one that it was taken for is missing.
    assert notes(read(page(DEVICE, count=2), page(DEVICE, count=2))) == {said: 1}


def test_pages_of_what_says_nothing_about_hosts_are_not_missed():
    sites, racks = (
        {"id": 3, "url": f"https://netbox.example/api/dcim/{each}/3/"} for each in ("sites", "racks")
    )
    left_out = {"objects of NetBox that say nothing about hosts, left out": 2}
    assert notes(read(page(DEVICE), page(sites, count=40), page(racks, count=90))) == left_out


def test_what_cannot_be_used_is_said():
    loose = {**ADDRESS, "id": 9, "assigned_object": None}
    orphan = {**SERVICE, "id": 9, "device": None}
    site = {"id": 3, "url": "https://netbox.example/api/dcim/sites/3/", "name": "Oslo"}
    inventory = read(page(DEVICE, count=400), page(loose), page(orphan), page(site))
    assert notes(inventory) == {
        "addresses of NetBox without a host, left out": 1,
        "objects of NetBox that say nothing about hosts, left out": 1,
        "objects on further pages of a list, which are in no file: export these too": 399,
        "services of NetBox without a host of their own, left out": 1,
    }


def test_faults_name_their_path():
    message = refused(
        page(
            {**SERVICE, "ports": [0, 70000, "x", True]},
            {**SERVICE, "ports": None},
            {**SERVICE, "ports": 80},
            {**DEVICE, "id": None, "name": None},
            {**ADDRESS, "address": "10.0.0.999"},
            {**DEVICE, "name": []},
        )
    )
    assert message.splitlines()[1:] == [
        "  file1: results[0].ports[0]: '0' is not a port; ports are 1 to 65535",
        "  file1: results[0].ports[1]: '70000' is not a port; ports are 1 to 65535",
        "  file1: results[0].ports[2]: 'x' is not a port; ports are 1 to 65535",
        "  file1: results[0].ports[3]: 'True' is not a port; ports are 1 to 65535",
        "  file1: results[1]: has no ports",
        "  file1: results[2].ports: is a number; expected a list",
        "  file1: results[3]: has neither id nor name",
        "  file1: results[4]: has no address",
        "  file1: results[5].name: is a list; expected a text",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"results": [' + "[" * 100 + "]" * 100 + "]}", "nested deeper than 32"),
        ('{"results": [' + "0," * 2_000_001 + "0]}", "more than 2000000 values"),
        ('{"results": [}', "is not JSON"),
        (b'{"results": ["\xff"]}', "is not UTF-8 at byte 14"),
        ("{}", "holds no objects"),
    ],
)
def test_a_document_beyond_bounds_is_refused(text, fault):
    assert fault in refused(text)


def test_an_export_of_four_hundred_hosts_is_read_in_seconds_and_names_nobody():
    files = netbox_export(400)
    begun = time.monotonic()
    inventory = read(*files.values())
    assert time.monotonic() - begun < 5
    assert len(inventory.hosts) == 400
    assert 500 < sum(len(host.services) for host in inventory.hosts) < 1000
    written = inventory.model_dump_json().casefold()
    for word in ("pinehub", "oslo", "bergen", "tromso", "10.20.", "kvm"):
        assert word not in written
