"""Holds open ports back from version detection until it is known that no radio program listens there."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.spared_ports import PERHAPS_RADIO
from discovery_collectors.collectors.network.version_search import VersionSearch
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import ScopedAddress

if TYPE_CHECKING:
    from discovery_collectors.collectors.network.radio_programs import RadioPrograms


class HeldPorts:
    """Those of one run; passes others on to `versions` at once."""

    def __init__(
        self, group: asyncio.TaskGroup, versions: VersionSearch, rate: PacketRate, reports: Reports
    ) -> None:
        self._group = group
        self._versions = versions
        self._rate = rate
        self._reports = reports
        self._waiting: list[asyncio.Task[None]] = []

    @cached_property
    def _radio_programs(self) -> "RadioPrograms":
        # Imported when it is needed: TLS takes as long as the rest together.
        from discovery_collectors.collectors.network.radio_programs import RadioPrograms  # noqa: PLC0415

        return RadioPrograms(self._rate, self._reports)

    def add(self, address: ScopedAddress, number: int) -> None:
        """Take in an open port. A controller's is not asked more than nmap asks."""
        if number not in PERHAPS_RADIO or self._versions.is_controller(address):
            self._versions.add(address, number)
            return
        self._versions.hold(address, number)
        self._waiting.append(self._group.create_task(self._add_unless_radio(address, number)))

    async def settled(self) -> None:
        """Return when each port is passed on, or will not be."""
        await asyncio.gather(*self._waiting)

    async def _add_unless_radio(self, address: ScopedAddress, number: int) -> None:
        if not await self._radio_programs.is_at(address):
            self._versions.add(address, number)
