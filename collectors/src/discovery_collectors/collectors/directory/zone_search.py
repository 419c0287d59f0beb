"""Asks one name server for the zones that some names suggest, and copies what anybody may copy.

What it does not ask for, or has no answer about, is a warning: it may be a zone.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from discovery_collectors.collectors.directory.dns_zones import (
    MAX_NAMES_ASKED,
    DnsError,
    Name,
    Zone,
    has_zone,
    own_name,
    transfer,
)
from discovery_collectors.running.bounds import more_than
from discovery_collectors.running.scope import ScopedAddress
from discovery_collectors.running.server_time import ServerTime

MAX_COPIES = 60
"""Zones that one server is asked for a copy of."""
_SILENCES = 3
_LISTED_CHARACTERS = 300
"""Of the names in one warning."""
_PACKETS_PER_QUESTION = 2
_PACKETS_PER_COPY = 40


class ZoneSearch:
    """The questions to one server. `report` gets each copy as soon as it was read."""

    def __init__(
        self,
        address: ScopedAddress,
        port: int,
        server_time: ServerTime,
        report: Callable[[Name, Zone], None],
        warn: Callable[[str], None],
    ) -> None:
        self._place = address, port
        self._time = server_time
        self._report = report
        self._warn = warn
        self._answered = False
        """It is a name server, and not only its port that suggests one."""
        self._silent: list[Name] = []
        self._copies = 0

    async def own_name(self) -> str:
        """Return the name that the server gives itself, empty without one."""
        name = await own_name(*self._place)
        self._answered = bool(name)
        return name

    async def run(self, names: Iterable[Name]) -> None:
        """Ask about `names`, in their order, and about what the copies delegate.

        Raises DnsError when the server answers nothing at all.
        """
        waiting = list(names)
        known = set(waiting)
        asked = 0
        while waiting and asked < MAX_NAMES_ASKED and len(self._silent) < _SILENCES:
            zone = waiting.pop(0)
            asked += 1
            copy = await self._copy(zone) if await self._holds(zone) else None
            if copy is None:
                continue
            if copy.complete:
                delegated = frozenset(copy.children)
                # What it does not delegate lies in it.
                waiting = [
                    name
                    for name in waiting
                    if not name.is_subdomain(zone) or not delegated.isdisjoint(_within(name, zone))
                ]
            # What is a zone for certain comes before what may be one.
            waiting[:0] = [child for child in copy.children if child not in known]
            known.update(copy.children)
        if len(self._silent) == _SILENCES and not self._answered:
            raise DnsError("no answer in DNS")
        self._warn_of_silence(len(waiting))
        if waiting and asked == MAX_NAMES_ASKED:
            self._warn(more_than(MAX_NAMES_ASKED, "names that may be zones", "asked for"))

    async def _holds(self, zone: Name) -> bool:
        """Return whether the server holds a zone; one that answered others is asked twice."""
        for _ in range(1 + self._answered):
            await self._time.pause(_PACKETS_PER_QUESTION)
            with suppress(DnsError):
                holds = await has_zone(*self._place, zone)
                self._answered = True
                return holds
        self._silent.append(zone)
        return False

    async def _copy(self, zone: Name) -> Zone | None:
        """Return what is read of a zone; None where there is no copy, as it should be."""
        if self._copies == MAX_COPIES:
            self._warn(more_than(MAX_COPIES, "zones held", "asked for a copy"))
        self._copies += 1
        if self._copies > MAX_COPIES:
            return None
        await self._time.pause(_PACKETS_PER_COPY)
        try:
            copy = await transfer(*self._place, zone)
        except DnsError:
            return None
        self._report(zone, copy)
        if not copy.complete:
            self._warn(f"the copy of {_shown(zone)} is not read to its end: {copy.cut_off}")
        elif copy.more_children:
            self._warn(more_than(len(copy.children), f"zones delegated by {_shown(zone)}", "asked for"))
        return copy

    def _warn_of_silence(self, left: int) -> None:
        """Say what has no answer, and what was not asked for it."""
        # Some servers are silent about what they do not hold; but an answer may also have been lost.
        if self._silent:
            names = ", ".join(map(_shown, self._silent))[:_LISTED_CHARACTERS]
            given_up = len(self._silent) == _SILENCES and left
            rest = f"; {left} other names that may be zones are not asked for" if given_up else ""
            self._warn(f"no answer about {names}{rest}")


def _within(name: Name, zone: Name) -> Iterable[Name]:
    """Yield `name` and its parents below `zone`."""
    while len(name.labels) > len(zone.labels):
        yield name
        name = name.parent()


def _shown(zone: Name) -> str:
    return zone.to_text(omit_final_dot=True).lower()
