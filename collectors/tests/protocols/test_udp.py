import asyncio
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.directory.dns_version import DNS, name_dns_server
from discovery_collectors.collectors.network.udp_probes import NTP, TFTP
from discovery_collectors.collectors.snmp.engine_probe import SNMP
from discovery_collectors.protocols import ber, udp
from discovery_collectors.protocols.udp import NoAnswerError, ask
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.0/24"]).admit("127.0.0.1")
PROBES = (DNS, TFTP, NTP, SNMP)


class Server(asyncio.DatagramProtocol):
    """Answers as `answer` says; `elsewhere`: from a port of its own."""

    def __init__(self, answer, *, elsewhere=False) -> None:
        self.answer, self.elsewhere = answer, elsewhere
        self.received: list[bytes] = []

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        self.received.append(data)
        for datagram in self.answer(data):
            self.transport.sendto(datagram, addr)


@pytest.fixture
async def serve(monkeypatch):
    started = []

    async def start(probe, answer):
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            lambda: Server(answer), local_addr=("127.0.0.1", 0)
        )
        started.append(transport)
        place = udp.UdpProbe(
            server.port, probe.name, probe.question, probe.read, probe.other_port, probe.farewell
        )
        return server, place

    yield start
    for transport in started:
        transport.close()


def dns_answer(text):
    def answer(question):
        body = bytes([len(text)]) + text
        record = b"\xc0\x0c" + struct.pack("!2HIH", 16, 3, 0, len(body)) + body
        yield question[:2] + b"\x84\x00\x00\x01\x00\x01\0\0\0\0" + question[12:] + record

    return answer


async def test_a_dns_server_that_reveals_its_version_is_named(serve):
    _, probe = await serve(DNS, dns_answer(b"9.20.30-1~deb13u1-Debian"))
    facts = await ask(ADDRESS, probe)
    assert (facts["product"], facts["version"]) == ("ISC BIND", "9.20.30-1~deb13u1")
    assert facts["cpe"] == ["cpe:/a:isc:bind:9.20.30"]


async def test_a_dns_server_that_refuses_the_question_is_one_all_the_same(serve):
    def refuse(question):
        yield question[:2] + b"\x80\x05\x00\x01\0\0\0\0\0\0" + question[12:]

    _, probe = await serve(DNS, refuse)
    assert await ask(ADDRESS, probe) == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("dnsmasq-2.91", ("dnsmasq", "2.91")),
        ("unbound 1.22.0", ("Unbound", "1.22.0")),
        ("9.18.44", ("ISC BIND", "9.18.44")),
        ("PowerDNS Authoritative Server 4.9.4 (built …)", ("PowerDNS", "4.9.4")),
        ("none of your business", (None, None)),
    ],
)
def test_what_a_dns_server_answers_names_a_product_only_in_that_product_s_words(text, named):
    facts = name_dns_server(text)
    assert (facts.get("product"), facts.get("version")) == named


async def test_a_file_server_that_answers_from_another_port_is_found_and_not_left_waiting(serve):
    loop = asyncio.get_running_loop()
    other, reported = await loop.create_datagram_endpoint(
        lambda: Server(lambda _: ()), local_addr=("127.0.0.1", 0)
    )

    class Tftp(Server):
        def datagram_received(self, data, addr):
            self.received.append(data)
            other.sendto(b"\x00\x03\x00\x01data", addr)

    transport, server = await loop.create_datagram_endpoint(lambda: Tftp(None), local_addr=("127.0.0.1", 0))
    probe = udp.UdpProbe(
        server.port, "tftp", TFTP.question, TFTP.read, other_port=True, farewell=TFTP.farewell
    )
    try:
        assert await ask(ADDRESS, probe) == {}
        async with asyncio.timeout(10):
            while not reported.received:
                await asyncio.sleep(0.01)
        assert server.received[0].startswith(b"\x00\x01discovery-")
        assert reported.received == [TFTP.farewell]
    finally:
        transport.close()
        other.close()


async def test_a_time_server_is_known_by_the_timestamp_it_repeats(serve):
    def tell(question):
        yield b"\x24\x03" + bytes(46)
        yield b"\x24\x02" + bytes(22) + question[40:48] + bytes(16)

    _, probe = await serve(NTP, tell)
    assert await ask(ADDRESS, probe) == {"product": "NTP", "stratum": 2}


def report(engine_id):
    octets = ber.element(ber.OCTET_STRING, engine_id)
    security = ber.element(ber.OCTET_STRING, ber.element(ber.SEQUENCE, octets))
    return ber.element(
        ber.SEQUENCE, ber.integer(3), ber.element(ber.SEQUENCE), security, ber.element(ber.SEQUENCE)
    )


async def test_an_agent_is_named_by_the_enterprise_of_its_engine(serve):
    _, probe = await serve(SNMP, lambda _: [report(bytes.fromhex("80001f8804") + b"x")])
    assert await ask(ADDRESS, probe) == {
        "product": "net-snmp",
        "enterprise": 8072,
        "cpe": ["cpe:/a:net-snmp:net-snmp"],
    }


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
async def test_a_closed_port_is_no_service(probe, monkeypatch):
    monkeypatch.setattr(udp, "WAIT_SECONDS", 0.3)
    closed = udp.UdpProbe(9, probe.name, probe.question, probe.read, probe.other_port)
    with pytest.raises(NoAnswerError):
        await ask(ADDRESS, closed)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
async def test_an_endless_answer_in_no_protocol_ends_with_the_wait(serve, monkeypatch, probe):
    monkeypatch.setattr(udp, "WAIT_SECONDS", 0.5)
    _, place = await serve(probe, lambda _: [b"\0" * 1400] * 500)
    begun = time.monotonic()
    with pytest.raises(NoAnswerError, match="no answer within"):
        await ask(ADDRESS, place)
    assert time.monotonic() - begun < 10


@given(st.binary(max_size=80), st.integers(1, 2**15))
def test_whatever_answers_it_is_read_or_refused(content, number):
    for probe in PROBES:
        assert isinstance(probe.read(content, number), dict | None)
        assert isinstance(probe.read(probe.question(number) + content, number), dict | None)
