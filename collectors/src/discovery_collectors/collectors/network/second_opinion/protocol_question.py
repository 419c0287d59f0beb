"""What one question to a service is, and what its answers show: the rows of the tables of questions."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

VERSION = rb"v?(?P<version>\d[\w.+~-]{0,30})"
"""How most products write it; a part of a reading's pattern."""


class Reading(NamedTuple):
    """What an answer that fits shows; searched anywhere in it, the first that fits holds."""

    product: str
    """Empty: the protocol is shown, no product."""
    pattern: bytes
    """With a group `version` where the answer states it."""
    protocol: str = ""
    """Where one question serves several protocols: which it is."""
    refuted: str = ""
    """The product that does not answer so, whatever nmap takes it for."""


class ProtocolQuestion(NamedTuple):
    """One protocol's question."""

    name: str
    """The protocol as nmap calls it; the question is the first for ports that nmap calls so."""
    send: tuple[bytes, ...]
    """Each once the one before is answered; the last answer is read."""
    readings: tuple[Reading, ...]
    ports: frozenset[int] = frozenset()
    """Where it is asked before others."""
    anywhere: bool = True
    """Asked at other ports too, in the table's order, as long as the port's time lasts."""
    aliases: frozenset[str] = frozenset()
    """Other names that nmap has for the protocol."""
    uncertified: bool = False
    """Asked at any port, too, that speaks TLS without a certificate."""
    then_end: bool = False
    """Whether the service answers only once the client has said that nothing more comes."""
    greeted: bool = False
    """Whether the service speaks first, and wants to be heard before it is asked."""
    whole: Callable[[bytes], bool] | None = None
    """Whether an answer is complete; without it, it is once nothing more comes for a while."""


usual_port_question = partial(ProtocolQuestion, anywhere=False)
"""Makes a question that is asked only where its protocol was heard, at its own ports and beside them."""


def ports(*numbers: int) -> frozenset[int]:
    """Return a row's ports."""
    return frozenset(numbers)
