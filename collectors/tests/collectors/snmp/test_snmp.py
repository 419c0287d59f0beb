import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.snmp import collector as snmp
from discovery_collectors.collectors.snmp.collector import collect
from discovery_collectors.collectors.snmp.messages import enterprise_of, read_response
from discovery_collectors.protocols import ber, udp
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential
from dryrun_contract.discovery import Discovery

SYSTEM = {
    "1.3.6.1.2.1.1.1.0": ber.element(ber.OCTET_STRING, "Größe \x1b[31m".encode()),
    "1.3.6.1.2.1.1.2.0": ber.object_identifier("1.3.6.1.4.1.8072.3.2.10"),
    "1.3.6.1.2.1.1.3.0": ber.integer(35_900, 0x43),
    "1.3.6.1.2.1.1.5.0": ber.element(ber.OCTET_STRING, b"edge-1"),
    "1.3.6.1.2.1.1.6.0": ber.element(0x80),
}


class Agent(asyncio.DatagramProtocol):
    """Knows one community; records requested communities and objects."""

    def __init__(self, community: bytes) -> None:
        self.community = community
        self.error = 0
        self.extra = b""
        """What follows the elements that an answer has."""
        self.system = SYSTEM
        self.asked: list[tuple[bytes, list[str]]] = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        version, community, pdu = ber.fields(ber.the_element(data, ber.SEQUENCE), 2, 4, 0xA0)
        number, _, _, bindings = ber.fields(pdu, 2, 2, 2, 0x30)
        names = [
            ber.read_object_identifier(ber.fields(binding, 6, 5)[0]) for _, binding in ber.elements(bindings)
        ]
        self.asked.append((community, names))
        if community != self.community:
            return
        # noSuchObject where it shows nothing
        shown = {name: self.system.get(name, ber.element(0x80)) for name in names}
        reported = [ber.element(0x30, ber.object_identifier(name), value) for name, value in shown.items()]
        answer = ber.element(
            0xA2,
            ber.element(2, number),
            ber.integer(self.error),
            ber.integer(0),
            ber.element(0x30, *reported),
        )
        self.transport.sendto(
            ber.element(0x30, ber.element(2, version), ber.element(4, community), answer, self.extra), addr
        )


@pytest.fixture
async def agent():
    transport, agent = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Agent(b"public"), local_addr=("127.0.0.1", 0)
    )
    agent.port = transport.get_extra_info("sockname")[1]
    yield agent
    transport.close()


def known_agent(port):
    return Discovery(kind="service", key=f"127.0.0.1:{port}/udp", data={"name": "snmp", "method": "probed"})


async def ask(emit, port, *communities, targets=("127.0.0.1",), at=("127.0.0.1",)):
    logins = tuple(Credential(engine="snmp", password=each, at=at) for each in communities)
    other = Credential(engine="redis", password="canary-pw")
    given = Assignment(Scope.parse(targets), credentials=(*logins, other), discoveries=(known_agent(port),))
    await collect(given, emit)
    return f"127.0.0.1:{port}/udp"


async def test_reports_the_system_group_but_not_the_contact(agent, emit):
    key = await ask(emit, agent.port)
    assert emit.data("snmp_system", key) == {
        "description": "Größe \x1b[31m",
        "object_id": "1.3.6.1.4.1.8072.3.2.10",
        "uptime_seconds": 359,
        "name": "edge-1",
    }
    assert [community for community, _ in agent.asked] == [b"public"]
    # sysContact
    assert "1.3.6.1.2.1.1.4.0" not in agent.asked[0][1]


async def test_an_answer_with_more_in_it_than_an_answer_has_is_read(agent, emit):
    agent.extra = ber.element(ber.NULL)
    key = await ask(emit, agent.port)
    assert emit.data("snmp_system", key)["name"] == "edge-1"


async def test_an_agent_that_makes_the_collector_fail_spoils_no_other(agent, emit, monkeypatch):
    read = snmp.read_system

    async def broken(address, port, community):
        if port == 1:
            raise TypeError("canary-value")
        return await read(address, port, community)

    monkeypatch.setattr(snmp, "read_system", broken)
    found = (known_agent(1), known_agent(agent.port))
    await collect(Assignment(Scope.parse(["127.0.0.1"]), discoveries=found), emit)
    assert emit.keys("snmp_system") == [f"127.0.0.1:{agent.port}/udp"]
    assert emit.warnings == ["127.0.0.1:1/udp: its answers make no sense (TypeError)"]


async def test_with_communities_given_no_other_is_tried(agent, emit, monkeypatch):
    monkeypatch.setattr(udp, "SENDINGS_SECONDS", (0.0,))
    key = await ask(emit, agent.port, "wrong", "wrong", "public")
    assert [community for community, _ in agent.asked] == [b"wrong", b"public"]
    assert emit.data("service", key)["access"] == "granted"


async def test_an_agent_that_knows_no_community_is_reported_as_closed(agent, emit, monkeypatch):
    monkeypatch.setattr(udp, "WAIT_SECONDS", 0.3)
    agent.community = b"secret"
    key = await ask(emit, agent.port, "wrong")
    assert emit.data("service", key)["access"] == "refused"
    assert emit.keys("snmp_system") == []
    assert "wrong" not in str(emit.reported) + str(emit.warnings)


@pytest.mark.parametrize(("error", "access"), [(0, "granted"), (16, "refused")])
async def test_an_agent_that_shows_nothing_or_answers_with_an_error_has_no_system_group(
    agent, emit, monkeypatch, error, access
):
    monkeypatch.setattr(udp, "WAIT_SECONDS", 0.3)
    agent.system, agent.error = {}, error
    key = await ask(emit, agent.port, "public")
    assert emit.data("service", key)["access"] == access
    assert emit.keys("snmp_system") == []


@pytest.mark.parametrize("at", [(), ("127.0.0.2", "10.0.0.0/8")])
async def test_a_community_is_sent_only_to_agents_that_it_is_for(agent, emit, monkeypatch, at):
    monkeypatch.setattr(udp, "SENDINGS_SECONDS", (0.0,))
    key = await ask(emit, agent.port, "canary-community", at=at)
    assert agent.asked == []
    reported = emit.data("service", key)
    assert reported["access"] == "no credential"
    assert "canary-community" not in str(emit.reported)


async def test_what_lies_outside_the_scope_gets_no_packet(agent, emit):
    await ask(emit, agent.port, targets=("127.0.0.2",))
    assert agent.asked == []
    assert "lies outside the targets" in emit.warnings[0]


@given(st.binary(max_size=100))
def test_whatever_answers_it_is_read_or_refused(content):
    assert isinstance(snmp._read_system(content, 1), dict | None)
    with contextlib.suppress(ber.BerError):
        read_response(content)
    assert isinstance(enterprise_of(content), int | None)
