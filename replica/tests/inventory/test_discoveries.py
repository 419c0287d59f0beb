import json

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError

FOUND = (
    {"kind": "host", "key": "192.0.2.7", "data": {"mac": "02:42:0a:00:00:03"}},
    {
        "kind": "service",
        "key": "192.0.2.7:443/tcp",
        "data": {
            "name": "http",
            "product": "nginx",
            "version": "1.26.3",
            "tls": True,
            "cpe": ["cpe:/a:f5:nginx"],
        },
        "confidence": 0.9,
    },
    {
        "kind": "certificate",
        "key": "192.0.2.7:443/tcp",
        "data": {
            "subject": "CN=www.pinehub.example",
            "issuer": "CN=Pinehub CA",
            "self_signed": False,
            "not_after": "2039-12-31T23:59:59Z",
        },
    },
    {"kind": "web_app", "key": "192.0.2.7:443/tcp", "data": {"title": "Pinehub shop"}},
    {"kind": "web_app", "key": "192.0.2.7:443/tcp/admin/login", "data": {"title": "Login"}},
    {"kind": "table", "key": "192.0.2.8:5432/tcp/shop/public/orders", "data": {"columns": ["id"]}},
    {"kind": "service", "key": "192.0.2.8:5432/tcp", "data": {"product": "PostgreSQL", "version": "17.2"}},
    {"kind": "service", "key": "[2001:db8::1]:161/udp", "data": {"product": "net-snmp"}},
)
READ = {
    "web-1": ["443/tcp nginx 1.26.3"],
    "database-1": ["5432/tcp PostgreSQL 17.2"],
    "network-1": ["161/udp net-snmp"],
}


def lines() -> str:
    other = [
        {"type": "progress", "done": 1},
        {"type": "warning", "message": "x"},
        {"type": "end", "discoveries": 8},
    ]
    return "".join(
        json.dumps(each) + "\n" for each in ({"type": "discovery", **found} for found in FOUND)
    ) + "".join(json.dumps(each) + "\n" for each in other)


def page() -> str:
    rest = {"id": 1, "revision": 1, "collector": "network", "status": "approved"}
    return json.dumps({"discoveries": [{**rest, **found} for found in FOUND], "next": None})


def table() -> str:
    rows = ["kind,key,confidence,data"]
    for found in FOUND:
        data = json.dumps(found["data"]).replace('"', '""')
        rows.append(f'{found["kind"]},{found["key"]},{found.get("confidence", "")},"{data}"')
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("text", [lines(), page(), json.dumps(FOUND), table()])
def test_lines_pages_lists_and_tables_read_the_same(text):
    inventory = read(text)
    assert [source.format for source in inventory.sources] == ["discoveries"]
    assert services_of(inventory) == READ
    assert notes(inventory) == {
        "discoveries of other kinds than hosts, services, certificates and sites, left out": 1,
        "hosts with IPv6 addresses only, whose stand-ins have IPv4 addresses": 1,
    }
    [service] = inventory.hosts[0].services
    assert service.tls is not None
    assert (service.tls.subject, service.tls.issuer, service.title) == (
        "CN=Subject-1",
        "CN=Subject-2",
        "Page-1",
    )
    assert str(service.tls.not_after) == "2039-12-01 00:00:00+00:00"
    assert "pinehub" not in inventory.model_dump_json().casefold()


def test_what_people_rejected_is_not_there():
    rejected = {**FOUND[6], "status": "rejected"}
    assert services_of(read(json.dumps([FOUND[1], rejected]))) == {"web-1": ["443/tcp nginx 1.26.3"]}


def test_faults_name_their_line():
    text = (
        '{"kind":"service","key":"192.0.2.7:0/tcp"}\n{"kind":"service","key":"a b"}\n{\n[]\n{"kind":"host"}\n'
        + (
            '{"kind":"host","key":"a","data":{"x":"' + "y" * 70_000 + '"}}\n'
            '{"kind":"service","key":"a:1/tcp","confidence":7}\n{"kind":"service","key":"a:70000/tcp"}\n'
        )
    )
    with pytest.raises(InventoryError) as error:
        read(text)
    faults = str(error.value).splitlines()[1:]
    assert [fault.split(": ")[0].strip() for fault in faults] == [
        "file1:1",
        "file1:2",
        "file1:3",
        "file1:4",
        "file1:5",
        "file1:6",
        "file1:7",
        "file1:8",
    ]
    assert "ports are 1 to 65535" in faults[0]
    assert "longer than 65536 bytes" in faults[5]
    assert "not a number from 0 to 1" in faults[6]
