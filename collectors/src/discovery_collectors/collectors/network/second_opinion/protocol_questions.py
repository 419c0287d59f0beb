"""Chooses the questions beside HTTP for a port, and reads what they are answered."""

import re
from collections.abc import Iterator

from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.protocol_question import ProtocolQuestion
from discovery_collectors.collectors.network.second_opinion.protocol_table import QUESTIONS

_BY_NAME = {name: each for each in QUESTIONS for name in (each.name, *each.aliases)}
_PATTERNS = {reading: re.compile(reading.pattern) for question in QUESTIONS for reading in question.readings}

_STEPS = (1, 10, 10000)
_TELLING_BYTES = 8
"""An honest answer may hold a shorter question: `srvr is not executed because …`."""


def named(name: str) -> ProtocolQuestion | None:
    """Return the question of the protocol that nmap calls `name`."""
    return _BY_NAME.get(name)


def meant_for(port: int) -> list[ProtocolQuestion]:
    """Return the questions that a port's number suggests."""
    return [each for each in QUESTIONS if port in each.ports]


def suggested(port: int) -> list[ProtocolQuestion]:
    """Return the questions of services that listen at a port by default, or were moved there."""
    beside = [each for each in QUESTIONS if port not in each.ports and _is_beside(port, each.ports)]
    return [*meant_for(port), *beside]


def in_order(port: int, *, again: bool, uncertified: bool = False) -> Iterator[ProtocolQuestion]:
    """Yield those of ports whose services are moved here (`moved_ports`), then those that are asked anywhere.

    `again`: before them those that the port suggests. `uncertified`: the service speaks TLS and has no
    certificate.
    """
    if again:
        yield from meant_for(port)
    others = [each for each in QUESTIONS if port not in each.ports]
    first = [each for each in others if (uncertified and each.uncertified) or _is_beside(port, each.ports)]
    yield from first
    yield from (each for each in others if each.anywhere and each not in first)


def _is_beside(port: int, usual: frozenset[int]) -> bool:
    """Return whether `port` is 1, 10 or 10000 more than a usual port, or has a digit in front of it."""
    return any(port - step in usual for step in _STEPS) or port % 10000 in usual


def read(question: ProtocolQuestion, content: bytes) -> Finding | None:
    """Return the protocol that the answer shows, with product and version where it names them.

    None when the answer is of another protocol, or repeats the question, as consoles do.
    """
    if any(sent in content for sent in question.send if len(sent) >= _TELLING_BYTES):
        return None
    for reading in question.readings:
        fits = _PATTERNS[reading].search(content)
        if fits is not None:
            version = fits.groupdict().get("version") or b""
            return Finding(
                reading.protocol or question.name,
                reading.product,
                version.decode("ascii", "replace"),
                refuted=reading.refuted,
            )
    return None
