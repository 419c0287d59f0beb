import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.network import collector as network
from discovery_collectors.collectors.network.collector import collect
from discovery_collectors.collectors.network.nmap_process import NmapError
from discovery_collectors.installed import udp_probes
from discovery_collectors.protocols.udp import NoAnswerError
from discovery_collectors.running.scope import Scope

ON_UDP = {}
"""(address, port) → what answers there; all else is silent."""


@pytest.fixture(autouse=True)
def asked_by_udp(monkeypatch):
    """Stand for the UDP ports of the network that the fake nmap reports."""
    asked = []

    async def ask(address, probe):
        asked.append((address, probe.port))
        if (address, probe.port) not in ON_UDP:
            raise NoAnswerError
        return ON_UDP[address, probe.port]

    monkeypatch.setattr(network, "ask", ask)
    yield asked
    ON_UDP.clear()


SECOND_OPINIONS = {}
"""(address, port) → what a second opinion adds there."""


@pytest.fixture(autouse=True)
def asked_again(monkeypatch):
    """Stand for the services that nmap leaves unnamed; the real questions have tests of their own."""
    asked = []

    class Opinion:
        def __init__(self, patience, rate, warn):
            pass

        async def ask(self, address, ports, on_port, *, open_ports=()):
            for port in ports:
                asked.append((address, port.number))
                if (address, port.number) in SECOND_OPINIONS:
                    on_port(replace(port, **SECOND_OPINIONS[address, port.number]))

    monkeypatch.setattr(network, "SecondOpinion", Opinion)
    yield asked
    SECOND_OPINIONS.clear()


HEAD = "<?xml version='1.0'?><!DOCTYPE nmaprun><nmaprun>"
FOOT = "<runstats><finished exit='success'/></runstats></nmaprun>"


def host(address: str, *ports: str, reason="arp-response") -> str:
    return (
        f"<host><status state='up' reason='{reason}'/><address addr='{address}' addrtype='ipv4'/>"
        f"<ports>{''.join(ports)}</ports></host>"
    )


def port(number: int, service="") -> str:
    return f"<port protocol='tcp' portid='{number}'><state state='open'/>{service}</port>"


@pytest.fixture
def fake_nmap(tmp_path, monkeypatch):
    """Put an nmap first on the path that logs its calls and answers its n-th call with the n-th report."""

    def install(*reports: str, script: str = "") -> Path:
        for number, report in enumerate(reports, start=1):
            (tmp_path / f"report{number}").write_text(report)
        calls = tmp_path / "calls"
        program = tmp_path / "nmap"
        program.write_text(
            f"#!/bin/sh\ncd {tmp_path}\n{script}\n"
            '{ printf "%s " "$@"; echo; tr "\\n" " "; echo; } >> calls\n'
            'cat "report$(($(wc -l < calls) / 2))"\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return calls

    return install


def assignment(**options) -> Assignment:
    return Assignment(Scope.parse(["10.0.0.0/24"], ["10.0.0.128/25"]), **options)


HTTP = "<service name='http' method='probed' conf='10' product='nginx' version='1.26.3'/>"
TABLE = "<service name='http' method='table' conf='3'/>"


async def test_reports_each_stage_as_it_comes_and_a_service_twice(fake_nmap, emit):
    fake_nmap(
        HEAD + host("10.0.0.3") + host("10.0.0.4") + FOOT,
        HEAD + host("10.0.0.3", port(80, TABLE)) + host("10.0.0.4") + FOOT,
        HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT,
    )
    await collect(assignment(), emit)
    assert emit.told == [
        ("host", "10.0.0.3", {"reason": "arp-response"}, 1.0),
        ("host", "10.0.0.4", {"reason": "arp-response"}, 1.0),
        ("service", "10.0.0.3:80/tcp", {"name": "http", "method": "table"}, 0.27),
        (
            "service",
            "10.0.0.3:80/tcp",
            {"name": "http", "method": "probed", "product": "nginx", "version": "1.26.3"},
            0.9,
        ),
    ]
    assert emit.progressed[-1] == (2, 2, "network scanned")
    assert [done for done, _, _ in emit.progressed] == sorted(done for done, _, _ in emit.progressed)


async def test_a_second_opinion_is_reported_after_nmaps_and_its_tls_is_read(
    fake_nmap, asked_again, monkeypatch, emit
):
    handshakes = []

    async def fetch(address, port):
        handshakes.append((address, port))
        raise network.CertificateError("none")

    monkeypatch.setattr(network, "fetch_certificate", fetch)
    SECOND_OPINIONS["10.0.0.3", 8443] = {"name": "http", "probed": True, "product": "Gitea", "tls": True}
    fake_nmap(
        HEAD + host("10.0.0.3") + FOOT,
        HEAD + host("10.0.0.3", port(80), port(8443)) + FOOT,
        HEAD + host("10.0.0.3", port(80, HTTP), port(8443)) + FOOT,
    )
    await collect(assignment(), emit)
    assert asked_again == [("10.0.0.3", 80), ("10.0.0.3", 8443)]
    assert emit.data("service", "10.0.0.3:8443/tcp") == {
        "name": "http",
        "method": "probed",
        "product": "Gitea",
        "tls": True,
    }
    assert handshakes == [("10.0.0.3", 8443)]


async def test_scans_further_only_what_the_stage_before_found(fake_nmap, emit):
    calls = fake_nmap(
        HEAD + host("10.0.0.3") + host("10.0.0.4") + FOOT,
        HEAD + host("10.0.0.3", port(80)) + host("10.0.0.4") + FOOT,
        HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT,
    )
    await collect(assignment(max_rate=500), emit)
    lines = calls.read_text().splitlines()
    assert [line.split() for line in lines[1::2]] == [["10.0.0.0/25"], ["10.0.0.3", "10.0.0.4"], ["10.0.0.3"]]
    assert all("--max-rate 500" in call and " -n " in f" {call} " for call in lines[::2])
    assert "--max-parallelism 50" in lines[4]
    assert "-p 80 " in lines[4]


@pytest.mark.parametrize("options", [{}, {"max_rate": 1000}])
async def test_asks_the_udp_ports_of_hosts_that_answered_and_reports_what_answers(
    fake_nmap, emit, asked_by_udp, options
):
    fake_nmap(HEAD + host("10.0.0.3") + host("10.0.0.200") + FOOT, HEAD + host("10.0.0.3") + FOOT)
    ON_UDP["10.0.0.3", 53] = {"product": "ISC BIND", "version": "9.20.30"}
    await collect(assignment(**options), emit)
    assert sorted(asked_by_udp) == [("10.0.0.3", probe.port) for probe in udp_probes()]
    assert [told for told in emit.told if told[0] == "service"] == [
        (
            "service",
            "10.0.0.3:53/udp",
            {"name": "domain", "method": "probed", "product": "ISC BIND", "version": "9.20.30"},
            0.9,
        )
    ]


async def test_an_empty_network_is_scanned_once(fake_nmap, emit):
    calls = fake_nmap(HEAD + FOOT)
    await collect(assignment(), emit)
    assert len(calls.read_text().splitlines()) == 2
    assert emit.told == []


async def test_what_lies_outside_the_scope_is_no_discovery_and_gets_no_further_packet(fake_nmap, emit):
    calls = fake_nmap(
        HEAD + host("10.0.0.3") + host("10.0.0.200") + host("8.8.8.8") + FOOT, HEAD + host("10.0.0.3") + FOOT
    )
    await collect(assignment(), emit)
    assert emit.keys("host") == ["10.0.0.3"]
    assert [warning.split(": ")[1] for warning in emit.warnings] == [
        "10.0.0.200 is excluded",
        "8.8.8.8 lies outside the targets",
    ]
    assert calls.read_text().splitlines()[3] == "10.0.0.3"


async def test_the_scanning_machine_is_no_discovery(fake_nmap, emit):
    fake_nmap(HEAD + host("10.0.0.9", reason="localhost-response") + FOOT)
    await collect(assignment(), emit)
    assert emit.told == []


async def test_a_range_of_versions_is_not_a_version(fake_nmap, emit):
    service = "<service name='postgresql' method='probed' conf='10' version='9.6.0 or later'/>"
    fake_nmap(
        HEAD + host("10.0.0.3") + FOOT,
        HEAD + host("10.0.0.3", port(5432)) + FOOT,
        HEAD + host("10.0.0.3", port(5432, service)) + FOOT,
    )
    await collect(assignment(), emit)
    data = emit.data("service", "10.0.0.3:5432/tcp")
    assert (data["version_range"], "version" in data) == ("9.6.0 or later", False)


async def test_a_tarpit_is_not_probed_at_every_port(fake_nmap, emit):
    ports = [port(number) for number in range(1, 1001)]
    calls = fake_nmap(
        HEAD + host("10.0.0.3") + FOOT, HEAD + host("10.0.0.3", *ports) + FOOT, HEAD + host("10.0.0.3") + FOOT
    )
    await collect(assignment(), emit)
    assert len(emit.keys("service")) == 1000
    assert "version detection covers the first 100" in emit.warnings[0]
    asked = calls.read_text().splitlines()[4].split(" -p ")[1].split()[0]
    assert len(asked.split(",")) == 100


@pytest.mark.parametrize(
    ("report", "script", "complaint"),
    [
        (HEAD + host("10.0.0.3"), "", "before its report was complete"),
        (HEAD + FOOT, "echo 'dnet: Failed to open device' >&2; exit 3", "exit code 3 .*dnet: Failed to open"),
        ("<!DOCTYPE nmaprun [<!ENTITY x 'y'>]><nmaprun/>", "", "declares an entity"),
    ],
)
async def test_a_scan_that_is_not_whole_is_an_error(fake_nmap, emit, report, script, complaint):
    fake_nmap(report, script=script)
    with pytest.raises(NmapError, match=complaint):
        await collect(assignment(), emit)


async def test_a_missing_nmap_is_named(monkeypatch, tmp_path, emit):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NmapError, match="install the package nmap"):
        await collect(assignment(), emit)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_nmap_too_and_leaves_no_end_line(fake_nmap, tmp_path, number):
    fake_nmap(script="echo $$ > pid; exec sleep 60")
    command = [sys.executable, "-m", "discovery_collectors", "network", "--targets", "10.0.0.0/24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as collector:
        deadline = time.monotonic() + 20
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        collector.send_signal(number)
        out, said = collector.communicate(timeout=10)
    assert collector.returncode == 128 + number
    assert b'"end"' not in out
    assert f"stopped by {number.name}".encode() in said
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


TARGET = """
import http.server, socket, ssl, sys, threading
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
seen = set()
def sniff():
    while True:
        frame, origin = sniffer.recvfrom(2048)
        if origin[2] == socket.PACKET_OUTGOING: continue
        kind = frame[12:14]
        if kind == b"\\x08\\x06": seen.add(socket.inet_ntoa(frame[38:42]))
        if kind == b"\\x08\\x00": seen.add(socket.inet_ntoa(frame[30:34]))
threading.Thread(target=sniff, daemon=True).start()
class Page(http.server.BaseHTTPRequestHandler):
    def version_string(self): return "nginx/1.26.3"
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
plain = http.server.ThreadingHTTPServer(("198.18.0.2", 80), Page)
secure = http.server.ThreadingHTTPServer(("198.18.0.2", 443), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
for server in (plain, secure): threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
print(*sorted(seen))
"""
needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nmap") is None or shutil.which("ip") is None,
    reason="needs root, nmap and ip: it scans namespaces of its own",
)


@pytest.fixture
def namespaces():
    """Two machines on one cable: 198.18.0.1 scans, 198.18.0.2 and 198.18.0.3 are there to be found."""
    scanner, target = f"dryrun-s{os.getpid()}", f"dryrun-t{os.getpid()}"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    ip("netns", "add", scanner)
    ip("netns", "add", target)
    try:
        ip("-n", scanner, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", target)
        ip("-n", scanner, "address", "add", "198.18.0.1/29", "dev", "cable")
        ip("-n", target, "address", "add", "198.18.0.2/29", "dev", "cable")
        ip("-n", target, "address", "add", "198.18.0.3/29", "dev", "cable")
        for namespace in (scanner, target):
            ip("-n", namespace, "link", "set", "cable", "up")
            ip("-n", namespace, "link", "set", "lo", "up")
        yield scanner, target
    finally:
        ip("netns", "delete", scanner)
        ip("netns", "delete", target)


@needs_namespaces
def test_real_nmap_finds_services_and_sends_nothing_to_an_excluded_address(namespaces, tmp_path):
    scanner, target = namespaces
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issue = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3"]
    issue += ["-subj", "/CN=www.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(issue, check=True, capture_output=True)
    served = ["ip", "netns", "exec", target, sys.executable, "-c", TARGET, certificate, key]
    scan = ["ip", "netns", "exec", scanner, sys.executable, "-m", "discovery_collectors", "network"]
    scan += ["--targets", "198.18.0.0/29", "--exclude", "198.18.0.3"]
    pipe = subprocess.PIPE
    with subprocess.Popen(served, stdin=pipe, stdout=pipe, text=True) as targets:
        assert targets.stdout.readline() == "ready\n"
        run = subprocess.run(scan, capture_output=True, text=True, timeout=120, check=False)
        seen = targets.communicate(timeout=10)[0].split()
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    found = {(line["kind"], line["key"]): line["data"] for line in lines if line["type"] == "discovery"}
    assert {key for kind, key in found if kind == "host"} == {"198.18.0.2"}
    for place in ("198.18.0.2:80/tcp", "198.18.0.2:443/tcp"):
        assert (found["service", place]["product"], found["service", place]["version"]) == ("nginx", "1.26.3")
    shown = found["certificate", "198.18.0.2:443/tcp"]
    assert (shown["subject"], shown["self_signed"]) == ("CN=www.example", True)
    assert lines[-1]["type"] == "end"
    assert "198.18.0.2" in seen
    assert "198.18.0.3" not in seen
