"""Whatever a file holds, it becomes an inventory of inert texts or is refused; nothing else ever happens."""

import json
import os
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import READ_AT
from netbox_export import netbox_export
from read_files import read

from dryrun_replica.building.certificates import make_certificate
from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.reading import (
    FORMATS,
    MAX_BYTES,
    InventoryFile,
    load_files,
    read_inventory,
)
from dryrun_replica.inventory.recognition import recognise

FILES = Path(__file__).parent / "files"
REAL = {
    "nmap-xml": (FILES / "loopback.xml").read_bytes(),
    "masscan-xml": b'<nmaprun scanner="masscan"><host><address addr="10.0.0.5" addrtype="ipv4"/><ports>'
    b'<port protocol="tcp" portid="22"><state state="open"/><service name="ssh" banner="SSH-2.0-x"/></port>'
    b"</ports></host></nmaprun>",
    "netbox": netbox_export(2)["services.json"].encode(),
    "csv": b"host,port,product,version,tls\nweb.corp.example,443,nginx,1.26,yes\ndb,5432,PostgreSQL,15,\n",
    "compose": b"services:\n  db: &d {image: postgres:16, ports: ['5432:5432']}\n  x: {<<: *d}\n",
    "diode": b'{"entities":[{"service":{"device":{"name":"a"},"name":"SSH","ports":[22]}}]}',
    "discoveries": b'{"kind":"service","key":"10.0.0.1:80/tcp","data":{"product":"nginx"}}\n',
    "report": b'{"version":2,"final":true,"scan_over":true,"scores":{"found":[],"rows":[]},"network":null}',
    "naabu": b'{"host":"a","ip":"10.0.0.5","timestamp":"x","port":22,"protocol":"tcp","tls":false}\n',
    "httpx": b'{"timestamp":"x","port":"443","url":"https://10.0.0.5/api/","input":"10.0.0.5","scheme":"https",'
    b'"webserver":"nginx/1.26.3","host":"10.0.0.5","title":"Own","tls":{"subject_dn":"CN=a"}}\n',
    "zgrab2": b'{"ip":"10.0.0.5","data":{"http":{"status":"success","protocol":"http","port":80,"result":'
    b'{"response":{"headers":{"server":["nginx/1.26.3"]}}}}}}\n',
    "masscan-json": b'[\n{"ip":"10.0.0.5","timestamp":"1","ports":[{"port":80,"proto":"tcp","service":'
    b'{"name":"http.server","banner":"nginx/1.26.3"}}]},\n{"finished":1}\n]\n',
    "port-list": b"# Nmap 7.95 scan initiated as: nmap -sV -oG - 10.0.0.5\n"
    b"Host: 10.0.0.5 (a)\tPorts: 22/open/tcp//ssh//OpenSSH 9.2p1/, 443/open/tcp//ssl|http//nginx/\n",
}
HOSTILE = (
    "$(reboot)",
    "`id`",
    "; rm -rf /",
    "&& curl x|sh",
    "a\nRUN curl x",
    "a\r\nUSER root",
    "\x1b[2J\x1b[31m",
    "\x1b]0;x\x07",
    "{{ 7*7 }}",
    "${HOME}",
    "- !!python/object/apply:os.system [reboot]",
    "key: value",
    "*alias",
    "&anchor",
    "'; DROP TABLE x;--",
    "<script>alert(1)</script>",
    "=cmd|'/C calc'!A0",
    "@SUM(1)",
    "+1+1",
    "-2+3",
    "../../etc/passwd",
    "/etc/passwd",
    "\u202eevil",
    "\u0000",
    "\ud800",
    "٣",
    "🙂" * 50,
    "A" * 100_000,
    "%n%n%s",
    "\\x41",
    '"quoted"',
    "#comment",
    "\t\t",
    "\x85next",
    "\u2028line",
)
INERT = re.compile(r"[A-Za-z0-9 .,+_/()~:-]*")


def read_as(raw: bytes, file_format: str | None = None, *, keep_names: bool = False) -> str | None:
    """The inventory as JSON; None when it was refused."""
    file = InventoryFile("file", raw)
    try:
        return read_inventory(
            [file], READ_AT, file_format=file_format, keep_names=keep_names
        ).model_dump_json()
    except InventoryError as error:
        refused = error
    assert refused.total
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028]", str(refused))
    assert len(str(refused)) < 20_000
    return None


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_recognised_by_what_is_in_the_file(name):
    assert recognise(REAL[name]) == name


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=150)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(name, data):
    raw = bytearray(REAL[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(("change", "cut", "repeat", "insert"))):
            case "change":
                raw[at] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 40))]
            case "repeat":
                raw[at:at] = raw[at : at + data.draw(st.integers(1, 200))] * data.draw(st.integers(1, 9))
            case _:
                raw[at:at] = data.draw(st.sampled_from(HOSTILE))[:300].encode("utf-8", "surrogatepass")
        raw = raw or bytearray(b"x")
    read_as(bytes(raw), name)
    read_as(bytes(raw))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50)
@given(
    raw=st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_read_or_refused(name, raw):
    read_as(raw, name)
    read_as(raw)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(-9, 9), st.sampled_from(HOSTILE[:20])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    "results",
                    "entities",
                    "services",
                    "device",
                    "virtual_machine",
                    "name",
                    "ports",
                    "protocol",
                    "value",
                    "id",
                    "url",
                    "address",
                    "assigned_object",
                    "primary_ip4",
                    "role",
                    "site",
                    "service",
                    "kind",
                    "key",
                    "data",
                    "image",
                    "deploy",
                    "expose",
                    "custom_fields",
                    "parent_object_type",
                    "confidence",
                    "tls",
                    "cpe",
                    "discoveries",
                    "ip",
                    "host",
                    "port",
                    "a",
                    "webserver",
                    "title",
                    "status",
                    "result",
                    "response",
                    "headers",
                    "server",
                )
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@pytest.mark.parametrize(
    "name",
    ["netbox", "diode", "discoveries", "compose", "report", "naabu", "httpx", "zgrab2", "masscan-json"],
)
@settings(max_examples=100)
@given(value=json_values)
def test_any_value_in_any_place_is_read_or_refused(name, value):
    try:
        raw = json.dumps(value).encode()
    except UnicodeEncodeError:
        return
    read_as(raw, name)
    if name == "compose":
        read_as(yaml.safe_dump({"services": {"a": value}}).encode("utf-8", "replace"), name)


def documents(text: str) -> dict[str, bytes]:
    """Format → a file that says `text` wherever it can."""
    device = {"name": text, "site": {"name": text}, "role": {"name": text}}
    cell = '"' + text.replace('"', '""').replace("\0", "") + '"'
    xml = "".join(f"&#{ord(c)};" for c in text[:2000] if c not in "\0\x1b\x07\ud800") or "x"
    row = ",".join([cell, "80", *[cell] * 6])
    return {
        "csv": f"host,port,product,version,title,banner,cpe,service\n{row}\n".encode("utf-8", "replace"),
        "netbox": json.dumps(
            [
                {
                    "url": "/api/ipam/services/1/",
                    "device": device,
                    "name": text,
                    "protocol": {"value": "tcp"},
                    "ports": [80],
                    "custom_fields": {"product": text, "version": text},
                }
            ]
        ).encode(),
        "diode": json.dumps(
            {"entities": [{"service": {"device": device, "name": text, "ports": [80]}}]}
        ).encode(),
        "discoveries": json.dumps(
            [
                {
                    "kind": "service",
                    "key": "a:80/tcp",
                    "data": dict.fromkeys(("name", "product", "version", "banner"), text),
                },
                {
                    "kind": "certificate",
                    "key": "a:80/tcp",
                    "data": {"subject": text, "issuer": text, "not_after": text},
                },
                {"kind": "web_app", "key": "a:80/tcp", "data": {"title": text}},
            ]
        ).encode(),
        "compose": json.dumps({"services": {text or "x": {"image": text, "expose": [80]}}}).encode(),
        "nmap-xml": (
            '<nmaprun><host><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/>'
            f'<hostnames><hostname name="{xml}"/></hostnames><ports><port protocol="tcp" portid="80">'
            f'<state state="open"/><service name="{xml}" product="{xml}" version="{xml}" method="probed" '
            f'conf="10"><cpe>{xml}</cpe></service></port></ports></host></nmaprun>'
        ).encode(),
        "naabu": json.dumps(
            {"ip": "10.0.0.1", "host": text, "port": 80, "name": text, "product": text, "version": text}
        ).encode(),
        "httpx": json.dumps(
            {"host": "10.0.0.1", "url": f"http://{text}", "port": 80, "webserver": text, "title": text}
        ).encode(),
        "zgrab2": json.dumps(
            {
                "ip": "10.0.0.1",
                "domain": text,
                "data": {"ssh": {"status": "success", "port": 22, "result": {"server_id": {"raw": text}}}},
            }
        ).encode(),
        "masscan-json": json.dumps(
            {
                "ip": "10.0.0.1",
                "ports": [{"port": 80, "proto": "tcp", "service": {"name": text, "banner": text}}],
            }
        ).encode(),
        "port-list": f"Host: 10.0.0.1 ({text})\tPorts: 80/open/tcp//http//{text}/\n".encode(
            "utf-8", "surrogatepass"
        ),
        "masscan-xml": (
            '<nmaprun scanner="masscan"><host><address addr="10.0.0.1" addrtype="ipv4"/><ports>'
            '<port protocol="tcp" portid="80"><state state="open"/>'
            f'<service name="{xml}" banner="{xml}"/></port></ports></host></nmaprun>'
        ).encode(),
    }


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("keep_names", [False, True])
def test_hostile_texts_are_inert_in_every_format(text, keep_names):
    for name, raw in documents(text).items():
        written = read_as(raw, name, keep_names=keep_names)
        if written is None:
            continue
        for host in json.loads(written)["hosts"]:
            assert re.fullmatch(r"[a-z][a-z0-9-]*", host["name"])
            for service in host["services"]:
                for field in ("product", "version", "name"):
                    assert INERT.fullmatch(service[field] or ""), (name, field, service[field])
                for said in (service["title"], service["banner"], *(service["tls"] or {}).values()):
                    assert not isinstance(said, str) or said.isprintable()


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    pipe, missing = tmp_path / "pipe", tmp_path / "missing.xml"
    os.mkfifo(pipe)
    with pytest.raises(InventoryError) as error:
        load_files([pipe, missing, tmp_path])
    assert error.value.total == 3
    assert "it is not a regular file" in str(error.value)
    assert "No such file" in str(error.value)


def test_files_beyond_the_bound_are_not_read(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"x" * 1000)
    with second.open("wb") as file:
        file.truncate(MAX_BYTES)
    with pytest.raises(InventoryError, match="second: with the files before it goes beyond 64 MiB"):
        load_files([first, second])


def test_an_inventory_without_a_host_is_refused():
    with pytest.raises(InventoryError, match="describes no host"):
        read("host,port\n")


def test_faults_of_all_files_are_reported_at_once():
    with pytest.raises(InventoryError) as error:
        read("host,port\na,x\n", "<nmaprun>", '{"entities": [{}, 1]}')
    assert [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]] == [
        "file1",
        "file2",
        "file3",
    ]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("csv", b"host,port\n" + b"a,1\n" * 250_000),
        ("csv", b'host,port\n"' + b"a" * 8_000_000),
        ("csv", b"host,ports\n" + b"a," + b"1 " * 4_000_000),
        ("nmap-xml", b"<nmaprun>" + b"<host/>" * 1_000_000),
        ("nmap-xml", b'<nmaprun a="' + b"x" * 16_000_000 + b'"/>'),
        ("discoveries", b"{}\n" * 400_000),
        ("naabu", b'{"ip":"10.0.0.1","port":1}\n' * 400_000),
        ("httpx", b"{}\n" * 400_000),
        ("zgrab2", b'{"ip":"10.0.0.1","data":{"a":{}}}\n' * 200_000),
        ("port-list", b"Host: 10.0.0.1 ()\tPorts: " + b"1/open/tcp//a///, " * 400_000),
        ("masscan-json", b'{"ip":"10.0.0.1","port":1},\n' * 200_000),
        ("masscan-json", b" " * 4_000_000 + b"}" * 1_000_000 + b"," * 4_000_000),
        ("port-list", b"a -> [" + b"1," * 4_000_000 + b"]"),
        ("port-list", b"a:1\n" * 600_000),
        ("netbox", b"[" + b"{}," * 600_000 + b"{}]"),
        ("compose", b"services: {" + b"a: {ports: [80-90]}," * 20_000 + b"}"),
    ],
)
def test_large_files_take_time_by_their_size(name, raw):
    begun = time.process_time()
    read_as(raw, name)
    # At most some 5 s of an idle processor for these sizes; squared, any of them would take hours.
    assert time.process_time() - begun < 60


@pytest.mark.parametrize("until", ["1900-01-01T00:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00"])
@pytest.mark.parametrize("keep_names", [False, True])
def test_an_end_that_no_certificate_can_have_is_left_out(until: str, *, keep_names: bool):
    line = {"kind": "certificate", "key": "10.0.0.1:443/tcp", "data": {"not_after": until}}
    tls = read(json.dumps([line]), keep_names=keep_names).hosts[0].services[0].tls
    assert tls is not None
    assert tls.not_after is None
    make_certificate(tls, "web-1")


def test_thousands_of_equal_names_are_numbered():
    rows = "".join(f"{'w' * 60}.site{number}.example,80,nginx\n" for number in range(3000))
    hosts = read("host,port,product\n" + rows, keep_names=True).hosts
    assert len({host.name for host in hosts}) == 3000


def test_columns_are_counted_before_they_are_read():
    with pytest.raises(InventoryError, match="has 100000 columns"):
        read("host,port" + ",x" * 99_998 + "\nweb,80\n", file_format="csv")


def test_ports_of_a_scan_are_bounded_and_only_where_they_belong():
    port = '<port protocol="tcp" portid="80"><state state="closed"/></port>'
    host = '<status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/>'
    with pytest.raises(InventoryError, match="more than 131,072 ports"):
        read(f"<nmaprun><host>{host}<ports>{port * 131_073}</ports></host></nmaprun>")
    elsewhere = read(f"<nmaprun><host>{host}{port.replace('closed', 'open')}</host></nmaprun>")
    assert elsewhere.hosts[0].services == ()
