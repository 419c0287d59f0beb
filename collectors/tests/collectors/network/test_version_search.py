import asyncio

import pytest

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.network import unanswered_questions, version_search
from discovery_collectors.collectors.network.nmap_process import Asked, NmapError, Understood
from discovery_collectors.collectors.network.nmap_xml import Host, Port
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.version_search import VersionSearch
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

SCOPE = Scope.parse(["10.0.0.0/24"])
ADDRESS = SCOPE.admit("10.0.0.3")


@pytest.fixture
def runs(monkeypatch):
    """Stand for nmap: what each of its runs finds, or raises."""
    answers: list[list[Host] | Exception] = []

    async def run_nmap(options, targets, environment, on_found):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for found in answer:
            on_found(found)

    monkeypatch.setattr(version_search, "run_nmap", run_nmap)
    return answers


def searching(emit, passed_on: list[Port]) -> VersionSearch:
    def on_versions(address, ports):
        passed_on.extend(ports)

    def on_port(address, number):
        pass

    return VersionSearch(
        Assignment(SCOPE), [], {}, PacketRate(None), Reports(emit), on_versions, on_port, on_port
    )


def host(*ports: Port) -> list[Host]:
    return [Host("10.0.0.3", "arp-response", ports=ports)]


async def test_a_port_is_passed_on_once_also_when_nmap_heard_nothing_from_it(runs, emit):
    passed_on = []
    versions = searching(emit, passed_on)
    runs += [host(Port(80), Port(81)), host(Port(80), Port(81), Port(82))]
    versions.add(ADDRESS, 80)
    versions.add(ADDRESS, 81)
    running = asyncio.create_task(versions.run())
    while not passed_on:
        await asyncio.sleep(0.01)
    versions.add(ADDRESS, 82)
    versions.close()
    await asyncio.wait_for(running, 5)
    assert [port.number for port in passed_on] == [80, 81, 82]


def test_every_open_port_of_a_host_is_known_whatever_nmap_was_asked(emit):
    """They tell a printer, to which nothing is written."""
    versions = searching(emit, [])
    versions.add(ADDRESS, 9104)
    versions.add(ADDRESS, 515)
    versions.add(SCOPE.admit("10.0.0.4"), 631)
    assert versions.open_ports(ADDRESS) == {9104, 515}


async def test_only_a_port_that_nmap_had_no_answer_from_may_wait_for_tls(emit, monkeypatch):
    monkeypatch.setattr(unanswered_questions, "_WAITING_SECONDS", 0.01)
    waiting = []

    async def run_nmap(options, targets, environment, on_found):
        for number in (11211, 64738):
            on_found(Asked("10.0.0.3", number, "GenericLines"))
        on_found(Understood("10.0.0.3", 11211))
        await asyncio.sleep(0.05)
        on_found(host(Port(11211), Port(64738))[0])

    monkeypatch.setattr(version_search, "run_nmap", run_nmap)
    versions = searching(emit, [])
    versions._on_waiting = lambda *port: waiting.append(port)
    for number in (11211, 64738):
        versions.add(ADDRESS, number)
    versions.close()
    await asyncio.wait_for(versions.run(), 5)
    assert waiting == [(ADDRESS, 64738)]


async def test_a_run_that_fails_ends_no_other_and_is_reported(runs, emit):
    passed_on = []
    versions = searching(emit, passed_on)
    runs += [NmapError("nmap broke"), host(Port(80, "http", probed=True))]
    versions.add(ADDRESS, 80)
    versions.close()
    await asyncio.wait_for(versions.run(), 5)
    assert [port.number for port in passed_on] == [80]
    assert emit.warnings == ["versions of services on 1 hosts may be missing: nmap broke"]
    assert str(versions.failure) == "nmap broke"
