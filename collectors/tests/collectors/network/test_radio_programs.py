import asyncio

import pytest
from faked_network import assignment
from listening import listening
from nmap_reports import FOOT, HEAD, HTTP, host, port

from discovery_collectors.collectors.network import radio_programs
from discovery_collectors.collectors.network.collector import collect
from discovery_collectors.collectors.network.radio_programs import RadioPrograms
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.second_opinion.exchange import Answer, Ending
from discovery_collectors.collectors.network.spared_ports import AGW
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")
DIREWOLF = b"1;Port1 first soundcard mono;Port2 INVALID CHANNEL;\0"
OTHER = b"1;Port1 of a modem;\0"


def frame(kind: bytes, data: bytes = b"") -> bytes:
    return bytes(4) + kind + bytes(23) + len(data).to_bytes(4, "little") + bytes(4) + data


class Direwolf:
    """Its server for radio programs: three places, each lost at an impossible length."""

    def __init__(self, ports: bytes = DIREWOLF) -> None:
        self.places = 3
        self.asked: list[bytes] = []
        self._ports = ports

    async def __call__(self, reader, writer):
        try:
            while True:
                head = await reader.readexactly(36)
                self.asked.append(head)
                if int.from_bytes(head[28:32], "little") > 2048:
                    self.places -= 1
                    break
                writer.write(frame(b"G", self._ports))
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@pytest.fixture
def at_port(monkeypatch):
    def move(number):
        monkeypatch.setattr(radio_programs, "AGW", number)

    return move


@pytest.mark.parametrize(("ports", "product"), [(DIREWOLF, "Direwolf"), (OTHER, "")])
async def test_a_radio_program_is_asked_once_in_its_own_protocol_and_named(at_port, emit, ports, product):
    direwolf = Direwolf(ports)
    async with listening(direwolf) as number:
        at_port(number)
        programs = RadioPrograms(PacketRate(None), Reports(emit))
        assert await asyncio.gather(programs.is_at(ADDRESS), programs.is_at(ADDRESS)) == [True, True]
    assert (direwolf.asked, direwolf.places) == ([frame(b"G")], 3)
    data = emit.data("service", f"127.0.0.1:{number}/tcp")
    assert (data["name"], data.get("product", ""), data["method"]) == ("agwpe", product, "probed")


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad Request\r\n\r\n", frame(b"R", bytes(8)), frame(b"G")])
async def test_what_answers_otherwise_is_none(at_port, emit, answer):
    async def serve(reader, writer):
        await reader.read()
        writer.write(answer)
        writer.close()

    async with listening(serve) as number:
        at_port(number)
        assert not await RadioPrograms(PacketRate(None), Reports(emit)).is_at(ADDRESS)
    assert emit.reported == []


@pytest.fixture
def answers(monkeypatch, asked_by_udp, asked_again):
    """Stand for port 8000 of the hosts that the fake nmap reports."""
    given: dict[str, bytes] = {}

    class Questioner:
        def __init__(self, address, port, *_):
            assert port == AGW
            self._address = address

        async def ask(self, *_, **__):
            return Answer(given.get(self._address, b""), Ending.CLOSED)

    monkeypatch.setattr(radio_programs, "Questioner", Questioner)
    return given


def asked_ports(calls) -> list[tuple[str, str]]:
    """Return which ports nmap was to ask for their versions, and of which hosts."""
    lines = calls.read_text().splitlines()
    return [
        (call.split(" -p ")[1].split()[0], to.strip())
        for call, to in zip(lines[2::2], lines[3::2], strict=True)
    ]


async def test_neither_nmap_nor_the_second_opinion_asks_a_radio_program(
    answers, fake_nmap, asked_again, emit
):
    answers["10.0.0.3"] = frame(b"G", DIREWOLF)
    calls = fake_nmap(
        HEAD + host("10.0.0.3", port(22), port(8000), port(8001)) + FOOT,
        HEAD + host("10.0.0.3", port(22, HTTP)) + FOOT,
    )
    await collect(assignment(), emit)
    assert asked_ports(calls) == [("22", "10.0.0.3")]
    assert {number for _, number in asked_again} == {22}
    assert emit.data("service", "10.0.0.3:8000/tcp")["product"] == "Direwolf"


async def test_others_at_its_ports_are_asked_as_everywhere_but_with_no_host_whose_own_are_not_known(
    answers, fake_nmap, emit
):
    answers["10.0.0.3"] = frame(b"G", DIREWOLF)
    calls = fake_nmap(
        HEAD + host("10.0.0.3", port(22)) + host("10.0.0.4", port(22), port(8000)) + FOOT,
        HEAD + host("10.0.0.4", port(22, HTTP), port(8000, HTTP)) + FOOT,
    )
    # One run of nmap at a time, whose calls are logged in turn.
    await collect(assignment(max_rate=5000), emit)
    assert emit.data("service", "10.0.0.4:8000/tcp")["product"] == "nginx"
    assert not [to for ports, to in asked_ports(calls) if "8000" in ports and "10.0.0.3" in to]


async def test_a_controller_is_not_asked_by_it(answers, fake_nmap, emit):
    answers["10.0.0.3"] = frame(b"G", DIREWOLF)
    calls = fake_nmap(
        HEAD + host("10.0.0.3", port(502), port(8000)) + FOOT, HEAD + host("10.0.0.3", port(502)) + FOOT
    )
    await collect(assignment(), emit)
    assert "8000" in {ports for ports, _ in asked_ports(calls)}
