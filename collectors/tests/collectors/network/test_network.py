import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faked_network import ON_UDP, SECOND_OPINIONS, assignment
from nmap_reports import FOOT, HEAD, HTTP, TABLE, host, port

from discovery_collectors.collectors.network import follow_up as network
from discovery_collectors.collectors.network.collector import collect
from discovery_collectors.collectors.network.nmap_process import NmapError
from discovery_collectors.installed import udp_probes

pytestmark = pytest.mark.usefixtures("asked_by_udp", "asked_again")


async def test_reports_each_stage_as_it_comes_and_a_service_twice(fake_nmap, emit):
    fake_nmap(
        HEAD + host("10.0.0.3", port(80, TABLE)) + host("10.0.0.4") + FOOT,
        HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT,
    )
    await collect(assignment(), emit)
    assert emit.reported == [
        ("host", "10.0.0.3", {"reason": "arp-response"}, 1.0),
        ("service", "10.0.0.3:80/tcp", {"name": "http", "method": "table"}, 0.27),
        ("host", "10.0.0.4", {"reason": "arp-response"}, 1.0),
        (
            "service",
            "10.0.0.3:80/tcp",
            {"name": "http", "method": "probed", "product": "nginx", "version": "1.26.3"},
            0.9,
        ),
    ]
    assert emit.progressed[-1] == (2, 2, "network scanned")
    assert [done for done, _, _ in emit.progressed] == sorted(done for done, _, _ in emit.progressed)


async def test_what_was_found_stays_reported_when_the_search_fails(fake_nmap, emit):
    up = host("10.0.0.3").replace("<host>", "<hosthint>").replace("</host>", "</hosthint>")
    fake_nmap(HEAD + up, said="Discovered open port 80/tcp on 10.0.0.3\n")
    with pytest.raises(NmapError):
        await collect(assignment(), emit)
    assert emit.keys("host") + emit.keys("service") == ["10.0.0.3", "10.0.0.3:80/tcp"]


async def test_versions_that_fail_end_the_run_only_when_all_else_is_done(fake_nmap, asked_by_udp, emit):
    fake_nmap(HEAD + host("10.0.0.3", port(80)) + FOOT, HEAD)
    with pytest.raises(NmapError, match="before its report was complete"):
        await collect(assignment(), emit)
    assert emit.keys("service") == ["10.0.0.3:80/tcp"]
    assert len(asked_by_udp) == len(udp_probes())
    assert "versions of services on 1 hosts may be missing" in emit.warnings[0]
    assert (1, 1, "network scanned") not in emit.progressed


async def test_a_port_whose_answer_was_lost_is_asked_once_more(fake_nmap, emit):
    calls = fake_nmap(
        HEAD + host("10.0.0.3", port(80), port(81)) + FOOT,
        HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT,
        HEAD + host("10.0.0.3") + FOOT,
    )
    await collect(assignment(), emit)
    asked = [line.split(" -p ")[1].split()[0] for line in calls.read_text().splitlines()[2::2]]
    assert asked == ["80,81", "81"]


async def test_the_full_profile_looks_at_likely_ports_first_and_at_each_port_once(fake_nmap, emit):
    calls = fake_nmap(HEAD + host("10.0.0.3") + FOOT)
    await collect(assignment(profile="full"), emit)
    likely, _, others, targets = calls.read_text().splitlines()
    assert "--top-ports " in likely
    assert " -Pn -p- --exclude-ports " in others
    assert targets.split() == ["10.0.0.3"]


@pytest.mark.parametrize("said_early", [True, False])
async def test_ports_of_a_host_where_everything_is_open_are_no_services(fake_nmap, emit, said_early):
    numbers = range(1, 5001)
    ports = [port(number) for number in numbers]
    said = "".join(f"Discovered open port {number}/tcp on 10.0.0.3\n" for number in numbers)
    named = HEAD + host("10.0.0.3", port(9), port(80, HTTP)) + FOOT
    fake_nmap(HEAD + host("10.0.0.3", *ports) + FOOT, named, said=said if said_early else "")
    await collect(assignment(), emit)
    assert emit.keys("service")[:8] == [f"10.0.0.3:{number}/tcp" for number in range(1, 9)]
    assert emit.keys("service")[8:] == ["10.0.0.3:80/tcp"], "what gives its name is a service"
    assert "10.0.0.3 has more than 1000 open ports: it answers on whatever it is asked" in " ".join(
        emit.warnings
    )


async def test_many_ports_are_reported_when_it_is_known_that_there_are_not_too_many(fake_nmap, emit):
    up = host("10.0.0.3").replace("<host>", "<hosthint>").replace("</host>", "</hosthint>")
    said = "".join(f"Discovered open port {number}/tcp on 10.0.0.3\n" for number in range(1, 1001))
    fake_nmap(HEAD + up, said=said)
    with pytest.raises(NmapError):
        await collect(assignment(), emit)
    assert emit.keys("service") == [f"10.0.0.3:{number}/tcp" for number in range(1, 1001)]


async def test_a_second_opinion_is_reported_after_nmaps_and_its_tls_is_read(
    fake_nmap, asked_again, monkeypatch, emit
):
    handshakes = []

    async def fetch(address, port, seconds):
        handshakes.append((address, port))
        raise network.CertificateError("none")

    monkeypatch.setattr(network, "fetch_certificate", fetch)
    SECOND_OPINIONS["10.0.0.3", 8443] = {"name": "http", "probed": True, "product": "Gitea", "tls": True}
    fake_nmap(
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
        HEAD + host("10.0.0.3", port(80)) + host("10.0.0.4") + FOOT,
        HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT,
    )
    await collect(assignment(max_rate=500), emit)
    lines = calls.read_text().splitlines()
    assert [line.split() for line in lines[1::2]] == [["10.0.0.0/25"], ["10.0.0.3"]]
    assert all(" -n " in f" {call} " for call in lines[::2])
    assert "-p 80 " in lines[2]


async def test_searches_and_questions_share_one_packet_rate(fake_nmap, emit):
    calls = fake_nmap(
        HEAD + host("10.0.0.3", port(80)) + FOOT, HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT
    )
    await collect(assignment(max_rate=500), emit)
    search, _, questions, _ = calls.read_text().splitlines()
    assert "--max-rate 325 " in search
    # nmap's rate does not bind its version questions; the relay's does.
    assert "--proxies socks4://127.0.0.1:" in questions
    assert int(questions.split("--max-rate ")[1].split()[0]) <= 150
    assert "--min-parallelism" not in search


@pytest.mark.parametrize("options", [{}, {"max_rate": 1000}])
async def test_asks_the_udp_ports_of_hosts_that_answered_and_reports_what_answers(
    fake_nmap, emit, asked_by_udp, options
):
    fake_nmap(HEAD + host("10.0.0.3") + host("10.0.0.200") + FOOT)
    ON_UDP["10.0.0.3", 53] = {"product": "ISC BIND", "version": "9.20.30"}
    await collect(assignment(**options), emit)
    assert sorted(asked_by_udp) == [("10.0.0.3", probe.port) for probe in udp_probes()]
    assert [each for each in emit.reported if each[0] == "service"] == [
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
    assert emit.reported == []


async def test_what_lies_outside_the_scope_is_no_discovery_and_gets_no_further_packet(fake_nmap, emit):
    everywhere = [host(address, port(80)) for address in ("10.0.0.3", "10.0.0.200", "8.8.8.8")]
    said = "Discovered open port 80/tcp on 10.0.0.200\nDiscovered open port 80/tcp on 8.8.8.8\n"
    calls = fake_nmap(
        HEAD + "".join(everywhere) + FOOT, HEAD + host("10.0.0.3", port(80, HTTP)) + FOOT, said=said
    )
    await collect(assignment(), emit)
    assert emit.keys("host") == ["10.0.0.3"]
    assert [warning.split(": ")[1] for warning in emit.warnings] == [
        "10.0.0.200 is excluded",
        "8.8.8.8 lies outside the targets",
    ]
    assert set(emit.keys("service")) == {"10.0.0.3:80/tcp"}
    assert calls.read_text().splitlines()[3].split() == ["10.0.0.3"]


async def test_the_scanning_machine_is_no_discovery_and_not_covered(fake_nmap, emit):
    fake_nmap(HEAD + host("10.0.0.9", reason="localhost-response") + FOOT)
    await collect(assignment(), emit)
    assert (emit.reported, emit.skipped, emit.warnings) == ([], ["10.0.0.9"], [])


async def test_a_range_of_versions_is_not_a_version(fake_nmap, emit):
    service = "<service name='postgresql' method='probed' conf='10' version='9.6.0 or later'/>"
    fake_nmap(
        HEAD + host("10.0.0.3", port(5432)) + FOOT,
        HEAD + host("10.0.0.3", port(5432, service)) + FOOT,
    )
    await collect(assignment(), emit)
    data = emit.data("service", "10.0.0.3:5432/tcp")
    assert (data["version_range"], "version" in data) == ("9.6.0 or later", False)


async def test_a_tarpit_is_not_probed_at_every_port(fake_nmap, emit):
    ports = [port(number) for number in range(1, 1001)]
    calls = fake_nmap(HEAD + host("10.0.0.3", *ports) + FOOT, HEAD + host("10.0.0.3") + FOOT)
    await collect(assignment(), emit)
    assert len(emit.keys("service")) == 1000
    assert "version detection covers the first 100" in emit.warnings[0]
    asked = calls.read_text().splitlines()[2].split(" -p ")[1].split()[0]
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
    command = [sys.executable, "-m", "discovery_collectors", "network", "--targets", "10.213.0.0/24"]
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
