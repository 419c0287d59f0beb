import asyncio
from dataclasses import replace

import pytest

from discovery_collectors.collectors.network import follow_up
from discovery_collectors.collectors.network.follow_up import FollowUp
from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.scan_profile import Patience
from discovery_collectors.collectors.network.second_opinion import opinion
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.protocols.certificates import Certificate, CertificateError
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["10.0.0.3"]).admit("10.0.0.3")
PATIENCE = Patience(answer=0.5, port=3, host=10)


def following_up(emit) -> FollowUp:
    return FollowUp(PATIENCE, PacketRate(None), Reports(emit))


async def asked_before_and_at_the_end(emit, monkeypatch, all_open, *others):
    """Return the ports asked beside the scan, and those asked when its other products are known, too."""
    asked = []

    async def interview(questioner, port):
        asked.append(port.number)

    monkeypatch.setattr(opinion, "interview", interview)
    reports = Reports(emit)
    following = FollowUp(PATIENCE, PacketRate(None), reports)
    await following.ask_services(ADDRESS, (Port(9100), Port(9104), Port(8080)))
    before = list(asked)
    for port in others:
        reports.service(ADDRESS, port)
    await following.ask_held({ADDRESS: frozenset(all_open)}.__getitem__)
    return before, asked[len(before) :]


POSTGRESQL = Port(5432, "postgresql", probed=True, product="PostgreSQL DB", confidence=10)
SSH = Port(22, "ssh", probed=True, product="OpenSSH", confidence=10)


@pytest.mark.parametrize(
    ("all_open", "others", "at_the_end"),
    [
        ({515}, [], []),
        ({515, 5432}, [POSTGRESQL], []),
        ({631, 5432}, [POSTGRESQL], []),
        ({22}, [SSH], [9104]),
        ({5432}, [], [9104]),
        ({5432}, [POSTGRESQL], [9100, 9104]),
        ({502, 5432}, [POSTGRESQL], []),
    ],
    ids=[
        "printer",
        "LPD beside a database",
        "IPP",
        "no database",
        "a port that is no proof",
        "database",
        "controller",
    ],
)
async def test_where_a_printer_prints_a_question_waits_until_the_host_is_known_to_be_none(
    emit, monkeypatch, all_open, others, at_the_end
):
    asked = await asked_before_and_at_the_end(emit, monkeypatch, {8080, 9100, 9104, *all_open}, *others)
    assert asked == ([8080], at_the_end)


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
    await FollowUp(PATIENCE, PacketRate(None), reports).ask_services(ADDRESS, (probed,))
    sure = [confidence for _, _, _, confidence in emit.reported]
    assert sure == [0.27, 0.9, 0.93, 0.94]
    assert emit.data("service", "10.0.0.3:1883/tcp")["product"] == "mosquitto"


@pytest.mark.parametrize(
    ("busy", "spared", "asked_again"),
    [(True, False, [10050]), (True, True, []), (False, False, [])],
    ids=["busy", "a controller", "named meanwhile"],
)
async def test_what_was_silent_while_nmap_asked_is_asked_once_more(
    emit, monkeypatch, busy, spared, asked_again
):
    asked = []

    async def interview(questioner, port):
        return None if busy else Finding("zabbix", "Zabbix agent")

    async def ask_suggested(questioner, port):
        asked.append(port.number)
        return Finding("zabbix", "Zabbix agent", "7.0.22")

    monkeypatch.setattr(opinion, "interview", interview)
    monkeypatch.setattr(opinion, "ask_suggested", ask_suggested)
    following = following_up(emit)
    async with asyncio.TaskGroup() as group:
        following.ask_early(group, ADDRESS, Port(10050), lambda: spared)
        await following.ask_services(ADDRESS, (Port(10050),))
    assert asked == asked_again
    if not spared:
        assert emit.data("service", "10.0.0.3:10050/tcp")["product"] == "Zabbix agent"


def presenting(monkeypatch, answer) -> list[int]:
    """Let each handshake present `answer`, or raise it; return the ports of those made."""
    made = []

    async def fetch_certificate(address, port, seconds):
        made.append(port)
        if isinstance(answer, CertificateError):
            raise answer
        return answer

    monkeypatch.setattr(follow_up, "fetch_certificate", fetch_certificate)
    return made


def certificate(subject: str) -> Certificate:
    begin, end = "2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z"
    return Certificate(subject, subject, (), begin, end, self_signed=True, sha256="0" * 64)


MURMUR = certificate("CN=Murmur Autogenerated Certificate v2")


@pytest.mark.parametrize(
    ("presented", "heard", "product", "handshakes"),
    [
        (MURMUR, Port(64738, "tcpwrapped", probed=True), "Murmur", 1),
        (MURMUR, Port(64738), "Murmur", 1),
        (MURMUR, Port(64738, "http", product="Other", probed=True), "Other", 1),
        (certificate("CN=www.example"), Port(64738, "ssl", probed=True, tls=True), "asked on", 1),
        (CertificateError("no"), Port(64738, "ssl", probed=True, tls=True), "asked on", 2),
    ],
    ids=["banned by then", "silent", "nmap knows better", "no product's certificate", "no handshake"],
)
async def test_a_certificate_read_early_names_the_product_where_nmap_names_none(
    emit, monkeypatch, presented, heard, product, handshakes
):
    asked = []

    async def interview(questioner, port):
        asked.append(port.number)
        return Finding("ssl", "asked on", tls=True)

    monkeypatch.setattr(opinion, "interview", interview)
    made = presenting(monkeypatch, presented)
    following = following_up(emit)
    following._reports.service(ADDRESS, heard)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            following.read_certificate_early(group, ADDRESS, 64738)
        await following.ask_services(ADDRESS, (heard,))
    assert emit.data("service", "10.0.0.3:64738/tcp")["product"] == product
    assert asked == ([64738] if product == "asked on" else [])
    assert len(made) == handshakes


async def test_a_host_of_many_ports_that_wait_is_not_asked_for_each_certificate(emit, monkeypatch):
    made = presenting(monkeypatch, CertificateError("no TLS handshake within 1 s"))
    following = following_up(emit)
    async with asyncio.TaskGroup() as group:
        for number in range(20_000, 20_100):
            following.read_certificate_early(group, ADDRESS, number)
    assert len(made) == follow_up._FRUITLESS_HANDSHAKES


async def test_a_host_whose_ports_all_present_certificates_is_asked_for_each(emit, monkeypatch):
    made = presenting(monkeypatch, MURMUR)
    following = following_up(emit)
    async with asyncio.TaskGroup() as group:
        for number in range(20_000, 20_030):
            following.read_certificate_early(group, ADDRESS, number)
    assert len(made) == 30


async def test_early_handshakes_keep_to_the_rate_and_a_questions_patience_some_at_once(emit, monkeypatch):
    begun, paid, goes_on = [], [], asyncio.Event()

    class Rate(PacketRate):
        async def take(self, packets, *, ahead=False):
            paid.append(packets)

    async def fetch_certificate(address, port, seconds):
        begun.append(seconds)
        await goes_on.wait()
        raise CertificateError("no")

    monkeypatch.setattr(follow_up, "fetch_certificate", fetch_certificate)
    following = FollowUp(PATIENCE, Rate(None), Reports(emit))
    hosts = [Scope.parse(["10.0.0.0/24"]).admit(f"10.0.0.{number}") for number in (3, 4)]
    async with asyncio.TaskGroup() as group:
        for address in hosts:
            for number in range(20_000, 20_020):
                following.read_certificate_early(group, address, number)
        await asyncio.sleep(0.05)
        assert len(begun) == follow_up._HANDSHAKES_AT_ONCE
        goes_on.set()
    assert begun == [PATIENCE.answer] * 2 * follow_up._FRUITLESS_HANDSHAKES
    assert paid == [follow_up._PACKETS_PER_CONVERSATION] * len(begun)


async def test_no_certificate_is_read_early_in_a_hurry(emit, monkeypatch):
    made = presenting(monkeypatch, MURMUR)
    following = FollowUp(PATIENCE, PacketRate(None), Reports(emit), early_certificates=False)
    async with asyncio.TaskGroup() as group:
        following.read_certificate_early(group, ADDRESS, 64738)
    assert made == []


async def test_no_handshake_is_sent_where_it_may_be_printed(emit, monkeypatch):
    made = presenting(monkeypatch, MURMUR)
    following = following_up(emit)
    async with asyncio.TaskGroup() as group:
        for number in (9100, 9101, 9107, 9108):
            following.read_certificate_early(group, ADDRESS, number)
    assert made == [9108]
