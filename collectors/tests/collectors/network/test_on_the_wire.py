"""The collector `network` with the real nmap, between network namespaces: what goes over the wire."""

import json
import os
import shutil
import subprocess
import sys
from bisect import bisect_left
from collections import Counter

import pytest

from discovery_collectors.collectors.network.nmap_data import most_common_ports

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


MANY = """
import asyncio, sys
async def greet(reader, writer):
    writer.write(b"SSH-2.0-OpenSSH_10.0p2\\r\\n")
    try: await asyncio.wait_for(reader.read(100), 1)
    except (OSError, TimeoutError): pass
    writer.close()
async def main():
    for port in map(int, sys.argv[1].split(",")): await asyncio.start_server(greet, "198.18.0.2", port)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""
ONE_OF_TWENTY = "-m statistic --mode random --probability 0.05"
NO_MORE_THAN_2000_A_SECOND = (
    "-p tcp --syn -m hashlimit --hashlimit-name dryrun --hashlimit-above 2000/sec --hashlimit-burst 200"
)


@needs_namespaces
@pytest.mark.skipif(shutil.which("iptables") is None, reason="needs iptables, to lose packets")
@pytest.mark.parametrize(
    ("profile", "loss"),
    [
        pytest.param("quick", ONE_OF_TWENTY, id="one packet of twenty is lost"),
        pytest.param(
            "quick", NO_MORE_THAN_2000_A_SECOND, id="no more than 2000 packets a second get through"
        ),
        pytest.param("full", ONE_OF_TWENTY, id="one packet of twenty is lost, all ports"),
    ],
)
def test_no_port_is_lost_where_packets_are(namespaces, profile, loss):
    scanner, target = namespaces
    inside = ["ip", "netns", "exec", target]
    ports = sorted(most_common_ports(1000))[::25] if profile == "quick" else range(1000, 65536, 1613)
    subprocess.run([*inside, "iptables", "-A", "INPUT", *loss.split(), "-j", "DROP"], check=True)
    served = [*inside, sys.executable, "-c", MANY, ",".join(map(str, ports))]
    scan = ["ip", "netns", "exec", scanner, sys.executable, "-m", "discovery_collectors", "network"]
    with subprocess.Popen(served, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as targets:
        assert targets.stdout.readline() == "ready\n"
        run = subprocess.run(
            [*scan, "--targets", "198.18.0.2", "--profile", profile],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        targets.communicate(timeout=10)
    assert run.returncode == 0, run.stderr
    found = {
        line["key"] for line in map(json.loads, run.stdout.splitlines()) if line.get("kind") == "service"
    }
    assert {f"198.18.0.2:{number}/tcp" for number in ports} <= found
    assert "packets were lost" not in run.stdout


@needs_namespaces
@pytest.mark.skipif(shutil.which("iptables") is None, reason="needs iptables, to lose packets")
def test_a_network_that_loses_too_many_packets_to_find_every_port_is_said_to(namespaces):
    scanner, target = namespaces
    loss = ["-p", "tcp", "-m", "statistic", "--mode", "random", "--probability", "0.6"]
    subprocess.run(
        ["ip", "netns", "exec", target, "iptables", "-A", "INPUT", *loss, "-j", "DROP"], check=True
    )
    scan = ["ip", "netns", "exec", scanner, sys.executable, "-m", "discovery_collectors", "network"]
    run = subprocess.run(
        [*scan, "--targets", "198.18.0.2"], capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr
    said = [line["message"] for line in map(json.loads, run.stdout.splitlines()) if line["type"] == "warning"]
    assert said == [
        "198.18.0.2: so many packets were lost that open ports may be missing; try a lower packet rate"
    ]


CLOSES = """
import socket, sys, threading, time
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
times = []
def sniff():
    while True:
        frame, origin = sniffer.recvfrom(64)
        if origin[2] != socket.PACKET_OUTGOING: times.append(time.monotonic())
threading.Thread(target=sniff, daemon=True).start()
def serve(port):
    listener = socket.create_server(("198.18.0.2", port))
    while True:
        connection, _ = listener.accept()
        try:
            connection.settimeout(0.3)
            connection.recv(1000)
            connection.sendall(b"\\x00nothing that anybody knows\\n")
        except OSError: pass
        connection.close()
for port in map(int, sys.argv[1].split(",")):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
print(*times)
"""


@needs_namespaces
def test_everything_together_keeps_to_the_packet_rate_on_the_wire(namespaces):
    scanner, target = namespaces
    served = ["ip", "netns", "exec", target, sys.executable, "-c", CLOSES, "80,443,5000,6379,8080,9000"]
    scan = ["ip", "netns", "exec", scanner, sys.executable, "-m", "discovery_collectors", "network"]
    scan += ["--targets", "198.18.0.2", "--max-rate", "200"]
    with subprocess.Popen(served, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as targets:
        assert targets.stdout.readline() == "ready\n"
        run = subprocess.run(scan, capture_output=True, text=True, timeout=200, check=False)
        times = [float(each) for each in targets.communicate(timeout=10)[0].split()]
    assert run.returncode == 0, run.stderr
    assert '"198.18.0.2:5000/tcp"' in run.stdout
    assert len(times) > 1500
    # In any second, wherever it begins.
    busiest = max(bisect_left(times, begin + 1) - number for number, begin in enumerate(times))
    assert busiest <= 200, Counter(int(each - times[0]) for each in times)
