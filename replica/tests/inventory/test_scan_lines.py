"""JSON lines of naabu, httpx and zgrab2, as those programs write them."""

import json
from pathlib import Path

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.found_service import Greeted

SAMPLES = Path(__file__).parents[3] / "orchestrator" / "tests" / "readers" / "samples"
GUESSED = "services that nobody names, guessed by the number of their port"
NO_ANSWER = "targets or questions of the scan without an answer, left out"


def lines(*objects: object) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects)


def naabu(port: object = 22, **more: object) -> dict[str, object]:
    known = {"ip": "10.0.0.5", "timestamp": "2026-11-27T03:00:01Z", "port": port, "protocol": "tcp"}
    return {**known, "tls": False, **more}


def httpx(**more: object) -> dict[str, object]:
    known = {"url": "https://10.0.0.5", "input": "10.0.0.5", "host": "10.0.0.5", "scheme": "https"}
    return {**known, "port": "443", "path": "/", "failed": False, **more}


@pytest.mark.parametrize(
    ("name", "services"),
    [
        ("naabu", {"remote-1": ["22/tcp OpenSSH 10.0p2"], "dns-1": ["53/udp domain"], "host-1": []}),
        ("httpx", {"web-1": ["443/tcp nginx 1.26.3"]}),
        ("zgrab2", {"web-1": ["22/tcp ssh", "80/tcp nginx 1.26.3"]}),
    ],
)
def test_what_a_scanner_writes_is_recognised_and_read(name, services):
    inventory = read((SAMPLES / f"{name}.jsonl").read_bytes())
    assert [source.format for source in inventory.sources] == [name]
    assert services_of(inventory) == services


def test_a_port_that_naabu_only_found_open_is_a_guess_by_its_number():
    inventory = read(lines(naabu(22), naabu(443, tls=True), naabu(4711)))
    [host] = inventory.hosts
    assert [(each.place, each.name, each.tls is not None) for each in host.services] == [
        ("22/tcp", "ssh", False),
        ("443/tcp", "http", True),
        ("4711/tcp", None, False),
    ]
    assert notes(inventory)[GUESSED] == 2
    assert "asked no service what it is; scan with nmap -sV" in inventory.unread[0]
    assert read(lines(naabu(22, name="ssh", product="OpenSSH"))).unread == ()


def test_an_old_naabu_writes_its_port_as_an_object():
    old = {
        "host": "a",
        "ip": "10.0.0.5",
        "timestamp": "x",
        "port": {"Port": 8443, "Protocol": 0, "TLS": True},
    }
    [service] = read(lines(old)).hosts[0].services
    assert (service.port, service.tls is not None) == (8443, True)


def test_one_name_at_several_addresses_is_no_one_host():
    assert len(read(lines(naabu(host="lb.example"), naabu(host="lb.example", ip="10.0.0.6"))).hosts) == 2
    answers = [httpx(host="lb.example", url="https://lb.example", host_ip=f"10.0.0.{n}") for n in (5, 6)]
    assert len(read(lines(*answers)).hosts) == 2


def test_a_web_server_is_named_by_its_header_and_its_title_is_that_of_the_first_page():
    inventory = read(
        lines(
            httpx(webserver="Apache/2.4.57 (Debian)", title="Welcome to nginx!"),
            httpx(port="8080", scheme="http", url="http://10.0.0.5:8080/x", path="/x", title="Not it"),
        )
    )
    [first, second] = inventory.hosts[0].services
    assert (first.label, first.title, first.tls is not None) == ("Apache 2.4.57", "Welcome to nginx!", True)
    assert (second.name, second.title, second.tls) == ("http", None, None)


def test_a_target_that_has_no_address_is_called_by_the_host_of_its_address():
    line = httpx(host="shop.corp.example", url="https://shop.corp.example:443/", a=["10.0.0.5"])
    assert len(read(lines(line), "ip,port\n10.0.0.5,22\n").hosts) == 1
    assert len(read(lines({**line, "a": ["10.0.0.5", "10.0.0.6"]}), "ip,port\n10.0.0.5,22\n").hosts) == 2


def test_the_certificate_that_httpx_read_is_kept():
    tls = {"subject_dn": "CN=a", "issuer_dn": "CN=a", "not_after": "2039-12-31T23:59:59Z"}
    facts = read(lines(httpx(tls=tls)), keep_names=True).hosts[0].services[0].tls
    assert facts is not None
    assert (facts.subject, facts.self_signed, facts.not_after and facts.not_after.year) == (
        "CN=a",
        True,
        2039,
    )


def test_what_gave_no_answer_is_counted_and_makes_no_host():
    inventory = read(lines(httpx(), httpx(failed=True, host="10.0.0.6")))
    assert len(inventory.hosts) == 1
    assert notes(inventory)[NO_ANSWER] == 1
    timeout = {"ip": "10.0.0.6", "data": {"ssh": {"status": "connection-timeout", "port": 22}}}
    with pytest.raises(InventoryError, match=r"describes no host .*without an answer, left out: 1"):
        read(lines(timeout))


def test_what_zgrab2_heard_is_identified_by_its_greeting():
    said = {"status": "success", "protocol": "ssh", "port": 22}
    answer = {"ip": "10.0.0.5", "data": {"ssh": {**said, "result": {"server_id": {"raw": "SSH-2.0-Own"}}}}}
    inventory = read(lines(answer), named_by=lambda _: Greeted("ssh", "OpenSSH", "9.9"))
    assert services_of(inventory) == {"remote-1": ["22/tcp OpenSSH 9.9"]}


MASSCAN_LIST = """[
{   "ip": "10.0.0.5",   "timestamp": "1", "ports": [ {"port": 22, "proto": "tcp", "status": "open"} ] }
,
{ "ip": "10.0.0.5", "ports": [ {"port": 80, "proto": "tcp", "service": {"name": "http.server",
"banner": "nginx/1.26.3"}} ] },
{ "ip": "10.0.0.5", "ports": [ {"port": 81, "proto": "tcp", "status": "closed"} ] }
]
""".replace(',\n"banner"', ', "banner"')
MASSCAN_LINES = lines(
    {"ip": "10.0.0.5", "port": 22, "proto": "tcp", "rec_type": "status", "data": {"status": "open"}},
    {
        "ip": "10.0.0.5",
        "port": 80,
        "proto": "tcp",
        "rec_type": "banner",
        "data": {"service_name": "http.server", "banner": "nginx/1.26.3"},
    },
)


@pytest.mark.parametrize(
    "text",
    [
        MASSCAN_LIST,
        MASSCAN_LINES,
        MASSCAN_LIST.replace("\n]", ',\n{"finished": 1}\n]'),
        MASSCAN_LIST.replace("\n]", ",\n{finished: 1}\n]"),
        MASSCAN_LIST.replace(
            '81, "proto": "tcp", "status": "closed"', '0, "proto": "icmp", "status": "open"'
        ),
    ],
    ids=["list", "lines", "its end", "its end in older versions", "an answer to a ping"],
)
def test_masscans_json_is_read_in_both_its_forms(text):
    inventory = read(text)
    assert [source.format for source in inventory.sources] == ["masscan-json"]
    assert services_of(inventory) == {"web-1": ["22/tcp ssh", "80/tcp nginx 1.26.3"]}


def test_a_fault_of_masscans_list_names_its_line():
    with pytest.raises(InventoryError, match=r"file1:4: ports\[0\]\.port: '70000' is not a port"):
        read(MASSCAN_LIST.replace('"port": 80', '"port": 70000'))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (lines(naabu(70000)), "file1:1: port: '70000' is not a port; ports are 1 to 65535"),
        (lines(naabu(), {"timestamp": "x", "port": 22}), "file1:2: names no host"),
        (lines(naabu()) + "[1]\n", "file1:2: is not a result of a scan; expected an object"),
        (lines(naabu()) + '{"ip": "10.0', "file1:2: is not JSON"),
        (lines(httpx(port=None)), "file1:1: 'None' is not a port"),
        (
            lines({"ip": "10.0.0.5", "data": {"ssh": {"status": "success", "protocol": "ssh"}}}),
            "file1:1: data.ssh: states no port, as zgrab2 did not before 2024; scan again with a newer one",
        ),
    ],
)
def test_a_line_that_says_no_place_is_a_fault_with_its_number(text, fault):
    with pytest.raises(InventoryError) as refused:
        read(text)
    assert fault in str(refused.value)


def test_ports_of_other_transports_are_counted():
    assert (
        notes(read(lines(naabu(), naabu(protocol="sctp"))))[
            "ports of other protocols than TCP and UDP, left out"
        ]
        == 1
    )
