"""Asks the open ports again that nmap could not name: bounded questions, a few at a time, HTTP and TLS first.

No question offers a login, and nothing is written to a port where any byte may do harm.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.scan_profile import Patience
from discovery_collectors.collectors.network.second_opinion.exchange import Questioner
from discovery_collectors.collectors.network.second_opinion.findings import improved
from discovery_collectors.collectors.network.second_opinion.interview import ask_suggested, interview
from discovery_collectors.collectors.network.second_opinion.products import is_settled
from discovery_collectors.collectors.network.spared_ports import may_write
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import ScopedAddress

CONFIDENCE = 0.93
"""Above nmap's highest confidence, 0.9, so that a second opinion prevails; below what a login shows."""
_QUESTIONS_AT_ONCE = 32
_QUESTIONS_PER_HOST = 4
_FRUITLESS_PORTS = 12
"""After so many in a row a host's other ports are not asked: it is a tarpit, or answers everything."""


@dataclass(slots=True)
class _Host:
    """What was spent on one host."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_QUESTIONS_PER_HOST))
    under_way: int = 0
    since: float = 0.0
    seconds: float = 0.0
    """Time in which at least one port was being asked; waiting for nmap or for the rate does not count."""
    asked: int = 0
    fruitless: int = 0
    warned: bool = False

    def __enter__(self) -> None:
        """Count the time from now on, if no other port is asked already."""
        if not self.under_way:
            self.since = time.monotonic()
        self.under_way += 1

    def __exit__(self, *error: object) -> None:
        """Stop counting with the last port."""
        self.under_way -= 1
        if not self.under_way:
            self.seconds += time.monotonic() - self.since

    def spent(self) -> float:
        """Return the seconds counted so far."""
        return self.seconds + (time.monotonic() - self.since if self.under_way else 0)


class SecondOpinion:
    """The questions of one run. `rate` is charged for every connection; `warn` is told what was not asked."""

    def __init__(self, patience: Patience, rate: PacketRate, warn: Callable[[str], None]) -> None:
        self._patience = patience
        self._rate = rate
        self._warn = warn
        self._slots = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        self._hosts: dict[ScopedAddress, _Host] = {}

    async def ask(
        self,
        address: ScopedAddress,
        ports: Collection[Port],
        on_port: Callable[[Port], None],
        *,
        open_ports: Collection[int] | None = None,
        products: Collection[str] = (),
        spared: Callable[[], bool] = lambda: False,
    ) -> None:
        """Ask those of `ports` that nmap's answer leaves unnamed; call `on_port` with what each reveals.

        May be called several times for one host, at the same time too: a host's bounds hold for all calls
        together. `open_ports` and `products`: see `may_write`. `spared`, called when a port has its turn,
        says whether it is not to be asked after all.
        """
        host = self._hosts.setdefault(address, _Host())

        async def ask_port(port: Port) -> None:
            async with host.slots, self._slots:
                if not spared() and self._may_ask(address, host):
                    host.asked += 1
                    finding = await interview(self._questioner(address, port, host), port)
                    host.fruitless = 0 if finding else host.fruitless + 1
                    learned = improved(port, finding) if finding else None
                    if learned is not None:
                        on_port(learned)

        async with asyncio.TaskGroup() as group:
            for port in ports:
                if not is_settled(port) and may_write(port.number, open_ports, products):
                    group.create_task(ask_port(port))

    async def ask_once_more(
        self,
        address: ScopedAddress,
        ports: Collection[Port],
        on_port: Callable[[Port], None],
        spared: Callable[[], bool] = lambda: False,
    ) -> None:
        """Ask those of `ports` in the protocols that their numbers suggest, one port after the other.

        For what serves one client at a time, and was busy with nmap when it was asked.
        """
        host = self._hosts.setdefault(address, _Host())
        for port in ports:
            async with host.slots, self._slots:
                if spared() or self._why_given_up(host) or not may_write(port.number):
                    continue
                finding = await ask_suggested(self._questioner(address, port, host), port)
                learned = improved(port, finding) if finding else None
                if learned is not None:
                    on_port(learned)

    def _questioner(self, address: ScopedAddress, port: Port, host: _Host) -> Questioner:
        patience = self._patience
        return Questioner(address, port.number, patience.answer, patience.port, self._rate, host)

    def _may_ask(self, address: ScopedAddress, host: _Host) -> bool:
        why = self._why_given_up(host)
        if not why and host.asked >= self._patience.ports:
            why = f"{self._patience.ports} ports were asked"
        if not why:
            return True
        if not host.warned:
            host.warned = True
            self._warn(f"{address}: its other unnamed ports are not asked what they are: {why}")
        return False

    def _why_given_up(self, host: _Host) -> str:
        """Return why nothing more is asked of a host; empty if something may be."""
        if host.fruitless >= _FRUITLESS_PORTS:
            return f"{_FRUITLESS_PORTS} ports in a row gave nothing away"
        if host.spent() >= self._patience.host:
            return f"{self._patience.host:.0f} s were spent on it"
        return ""
