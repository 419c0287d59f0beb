"""Asks port 8000 first whether a radio program listens there, which bears no question in another protocol.

AGW's server in Direwolf has three places for clients, and loses one for good at each message that announces
an impossible length, as any request for a page does. Beside it, KISS takes bytes for the transmitter.
"""

import asyncio
import re

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.second_opinion.exchange import Questioner
from discovery_collectors.collectors.network.second_opinion.findings import Finding, improved
from discovery_collectors.collectors.network.second_opinion.opinion import CONFIDENCE
from discovery_collectors.collectors.network.spared_ports import AGW
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import ScopedAddress

_PORTS = b"\0\0\0\0G" + bytes(31)
"""AGW's question for the radio ports ("AGWPE TCP/IP API", frame `G`), which transmits nothing. Whoever takes
its first bytes for a length reads 0, and whoever waits for a line's end learns that nothing more comes."""
_ANSWER = re.compile(rb"\0\0\0\0G[\s\S]{23}[\s\S]{2}\0\0[\s\S]{4}(?P<ports>\d{1,3};[^\0]{0,400})")
_DIREWOLF = re.compile(rb"\d{1,3};Port\d{1,3} (?:\w{1,10} soundcard|network|TNC)")
_SECONDS = 1.0
_AT_ONCE = 16


def read(content: bytes) -> Finding | None:
    """Return what an answer to the question shows; None where it is in another protocol."""
    answer = _ANSWER.match(content)
    if answer is None:
        return None
    return Finding("agwpe", "Direwolf" if _DIREWOLF.match(answer["ports"]) else "")


class RadioPrograms:
    """Those of one run; each host is asked once, whichever of its ports is found open first."""

    def __init__(self, rate: PacketRate, reports: Reports) -> None:
        self._rate = rate
        self._reports = reports
        self._asked: dict[ScopedAddress, asyncio.Task[bool]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def is_at(self, address: ScopedAddress) -> bool:
        """Return whether a host has one, and report it."""
        if address not in self._asked:
            self._asked[address] = asyncio.ensure_future(self._ask(address))
        return await self._asked[address]

    async def _ask(self, address: ScopedAddress) -> bool:
        async with self._slots:
            questioner = Questioner(address, AGW, _SECONDS, _SECONDS, self._rate)
            answer = await questioner.ask(_PORTS, then_end=True)
        finding = read(answer.content)
        learned = None if finding is None else improved(Port(AGW), finding)
        if learned is not None:
            self._reports.service(address, learned, CONFIDENCE)
        return learned is not None
