"""The collector `snmp`: name, description and location of SNMP agents, from their system group."""

import asyncio

from discovery_collectors.collector import Assignment, Emit
from discovery_collectors.collectors.snmp.messages import VERSION_2C, get_message, read_response
from discovery_collectors.protocols import ber
from discovery_collectors.protocols.udp import SENDINGS_SECONDS, Facts, NoAnswerError, UdpProbe, ask
from discovery_collectors.running.credentials import withheld
from discovery_collectors.running.scope import ScopedAddress
from discovery_collectors.running.services import KnownService, ReportedService, inspect_each, known_services
from dryrun_contract.collector_config import Credential

_AGENTS_AT_ONCE = 16
_TEXT_CHARACTERS = 300
_OPEN_TO_ALL = "public"
"""The community that agents are delivered with, for everybody; used when there is no credential for SNMP."""
_SYSTEM = {
    "description": "1.3.6.1.2.1.1.1.0",
    "object_id": "1.3.6.1.2.1.1.2.0",
    "uptime_seconds": "1.3.6.1.2.1.1.3.0",
    "name": "1.3.6.1.2.1.1.5.0",
    "location": "1.3.6.1.2.1.1.6.0",
}
"""RFC 3418. sysContact is not among them: it names a person."""
_TIME_TICKS = 0x43
"""Hundredths of a second."""


async def collect(assignment: Assignment, emit: Emit) -> None:
    """Ask each agent among the assignment's discoveries once per community; others are left alone."""
    agents = list(known_services(assignment.discoveries, assignment.scope, emit, _is_agent))
    logins = [login for login in assignment.credentials if login.engine == "snmp"]
    most = max(len(logins), 1)
    rate = assignment.max_rate

    async def inspect(agent: KnownService) -> None:
        try:
            await _inspect(agent, logins, emit)
        except Exception as error:  # noqa: BLE001  # what a hostile agent answers must spoil no other's turn
            emit.warning(f"{agent.key}: its answers make no sense ({type(error).__name__})")
        await asyncio.sleep(0 if rate is None else len(SENDINGS_SECONDS) * most / rate)

    await inspect_each(agents, inspect, emit, at_once=_AGENTS_AT_ONCE if rate is None else 1)


def _is_agent(service: ReportedService) -> bool:
    return service.key.transport == "udp" and (service.name == "snmp" or service.key.port == 161)


async def _inspect(agent: KnownService, logins: list[Credential], emit: Emit) -> None:
    # Whatever answers on the port gets the community itself: only agents that it is for are shown it.
    shown = [login for login in logins if login.may_be_shown(agent.address, in_clear=True)]
    communities = list(dict.fromkeys(login.password for login in shown)) if logins else [_OPEN_TO_ALL]
    for community in communities:
        system = await read_system(agent.address, agent.port, community)
        if system is not None:
            emit.discovery("service", str(agent.key), {"access": "granted"}, 0.95)
            if system:
                emit.discovery("snmp_system", str(agent.key), system)
            return
    if shown:
        access, reason = "refused", "no answer to any community that was given"
    elif logins:
        access, reason = "no credential", withheld(logins[0])
    else:
        access, reason = "no credential", "no answer to the community for everybody"
    emit.discovery("service", str(agent.key), {"access": access, "reason": reason}, 0.95)


async def read_system(address: ScopedAddress, port: int, community: str) -> Facts | None:
    """Return what the agent reveals to `community`, None when it refuses or is silent.

    By SNMPv2c, in one question, which is sent a second time when nothing comes.
    """

    def question(number: int) -> bytes:
        return get_message(VERSION_2C, community.encode("utf-8"), number, list(_SYSTEM.values()))

    try:
        return await ask(address, UdpProbe(port, "snmp", question, _read_system))
    except NoAnswerError:
        return None


def _read_system(answer: bytes, number: int) -> Facts | None:
    names = {identifier: name for name, identifier in _SYSTEM.items()}
    facts: Facts = {}
    try:
        response = read_response(answer)
        if response.request_id != number or response.error:
            return None
        for identifier, tag, content in response.values:
            value = _read_value(tag, content)
            if identifier in names and value not in {None, ""}:
                facts[names[identifier]] = value
    except ber.BerError:
        return None
    return facts


def _read_value(tag: int, content: bytes) -> str | int | None:
    if tag == ber.OCTET_STRING:
        return content.decode("utf-8", "replace")[:_TEXT_CHARACTERS]
    if tag == ber.OBJECT_IDENTIFIER:
        return ber.read_object_identifier(content)
    return ber.read_integer(content) // 100 if tag == _TIME_TICKS else None
