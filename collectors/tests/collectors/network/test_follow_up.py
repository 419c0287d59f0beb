import asyncio
from dataclasses import replace

from discovery_collectors.collectors.network import follow_up
from discovery_collectors.collectors.network.follow_up import FollowUp
from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.packet_rate import PacketRate
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.scan_profile import Patience
from discovery_collectors.collectors.network.second_opinion import opinion
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["10.0.0.3"]).admit("10.0.0.3")
PATIENCE = Patience(answer=0.5, port=3, host=10)


def following_up(emit) -> FollowUp:
    return FollowUp(PATIENCE, PacketRate(None), Reports(emit))


async def asked_before_and_after_the_search(emit, monkeypatch, all_open):
    """Return the ports asked while a host's ports are still looked for, and those asked afterwards."""
    asked = []

    async def interview(questioner, port):
        asked.append(port.number)

    monkeypatch.setattr(opinion, "interview", interview)
    ended = asyncio.Event()

    async def all_open_ports():
        await ended.wait()
        return all_open

    ports = (Port(9100), Port(9104), Port(8080))
    asking = asyncio.create_task(following_up(emit).ask_services(ADDRESS, ports, all_open_ports))
    await asyncio.sleep(0.05)
    before = list(asked)
    ended.set()
    await asyncio.wait_for(asking, 5)
    return before, asked[len(before) :]


async def test_nothing_is_written_where_it_may_be_printed_before_all_open_ports_are_known(emit, monkeypatch):
    # 515 is found last: until then nothing shows that the host prints.
    printer = frozenset({8080, 9100, 9104, 515})
    assert await asked_before_and_after_the_search(emit, monkeypatch, printer) == ([8080], [])


async def test_what_prints_nothing_is_asked_when_all_open_ports_are_known(emit, monkeypatch):
    other = frozenset({8080, 9100, 9104})
    assert await asked_before_and_after_the_search(emit, monkeypatch, other) == ([8080], [9104])


async def test_every_report_of_a_service_is_surer_than_the_one_before(emit, monkeypatch):
    async def interview(questioner, port):
        return Finding("mqtt")

    async def ask_version(address, number):
        return "mosquitto", "2.0.21"

    monkeypatch.setattr(opinion, "interview", interview)
    monkeypatch.setitem(follow_up._BROKERS, "mqtt", ask_version)
    reports = Reports(emit)
    guessed = Port(1883, "mqtt", confidence=3)
    probed = replace(guessed, name="unknown", probed=True, confidence=10)
    reports.service(ADDRESS, guessed)
    reports.service(ADDRESS, probed)
    await FollowUp(PATIENCE, PacketRate(None), reports).ask_services(ADDRESS, (probed,), all_open_ports)
    sure = [confidence for _, _, _, confidence in emit.reported]
    assert sure == [0.27, 0.9, 0.93, 0.94]
    assert emit.data("service", "10.0.0.3:1883/tcp")["product"] == "mosquitto"


async def all_open_ports() -> frozenset[int]:
    return frozenset()
