"""Judges what of production was not looked at: what scans did not reach and later scans do not cover."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from itertools import chain

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.checks.coverage import Part, Span, outermost, uncovered, without
from dryrun_contract.network import joined

_AT_ONCE = 200
MOST_COMPARED = 100_000
"""Networks of scans that are compared, with those that they exclude, which takes seconds at most. With
more, production counts as not scanned to its end."""
MOST_NOT_COVERED = 20
"""Networks that complete scans did not reach; with more, production counts as not scanned to its end."""

# Scans in the same words, as schedules begin them, are one. Collectors that missed nothing are left out.
_SCANNED = text(
    """
    WITH scanned AS (
        SELECT collector, profile, targets, excluded, complete IS TRUE AS complete, reported_at,
            CASE WHEN complete THEN not_covered ELSE '{}' END AS not_covered
        FROM gateway.production_scans
        WHERE collector IN (
            SELECT collector FROM gateway.discoveries
            WHERE kind IN ('host', 'service') AND status <> 'rejected' AND gone_at IS NULL)
    )
    SELECT collector, profile, targets, excluded, complete, not_covered, max(reported_at) AS reported_at
    FROM scanned
    WHERE collector IN (SELECT collector FROM scanned WHERE NOT complete OR not_covered <> '{}')
    GROUP BY collector, profile, targets, excluded, complete, not_covered
    """
)


@dataclass(frozen=True)
class Uncovered:
    """What no later scan covers, one by one or together."""

    broken_off: bool
    """Something of a scan that is under way or did not finish, or more than can be listed."""
    networks: Mapping[str, Sequence[IPv4Network | IPv6Network]] = field(default_factory=dict)
    """What complete scans did not reach, by collector: another one may have looked there."""


type _Times = dict[tuple[Span, tuple[Span, ...]], float]
"""When a network was scanned last, by what was excluded inside it."""
type _OfProfiles = defaultdict[str, _Times]


def _of_profiles() -> _OfProfiles:
    return defaultdict(dict)


@dataclass(frozen=True, slots=True)
class _Scans:
    """The scans of one collector, by profile."""

    looked_at: _OfProfiles = field(default_factory=_of_profiles)
    not_reached: _OfProfiles = field(default_factory=_of_profiles)
    """By complete scans."""
    broken_off: _OfProfiles = field(default_factory=_of_profiles)
    """By scans that are under way or did not finish."""

    def add(self, scan: RowMapping) -> int:
        """Add a scan, and return how many networks that makes more.

        One that excludes a network whole neither covers it nor misses it.
        """
        more = 0
        excluded = outermost(map(Span.of, scan["excluded"]))
        at = scan["reported_at"].timestamp()
        targets = [*map(Span.of, scan["targets"])]
        # What lies in another target of a complete scan was looked at with that.
        looked_at, broken_off = (outermost(targets), []) if scan["complete"] else ([], targets)
        for of_profiles, spans in (
            (self.looked_at, looked_at),
            (self.broken_off, broken_off),
            (self.not_reached, map(Span.of, scan["not_covered"])),
        ):
            times = of_profiles[scan["profile"]]
            for part in without(spans, excluded):
                if part not in times:
                    more += 1 + len(part[1])
                times[part] = max(at, times.get(part, at))
        return more

    async def uncovered(self, missed: _OfProfiles) -> list[Span]:
        """Return what of `missed` no later scan covers that is at least as thorough."""
        left: list[Span] = []
        for profile, times in missed.items():
            as_thorough = [self.looked_at[each] for each in {profile, "full"}]
            left += [part.span for part in await uncovered(_parts(times), _parts(*as_thorough))]
        return left


def _parts(*of_profiles: _Times) -> list[Part]:
    return [Part(*where, at) for times in of_profiles for where, at in times.items()]


async def find_uncovered(connection: AsyncConnection) -> Uncovered:
    """Return what scans did not reach and later ones do not cover.

    What the scan excluded that did not reach it need not be covered.
    """
    collectors = defaultdict[str, _Scans](_Scans)
    compared = 0
    async with connection.stream(_SCANNED.execution_options(yield_per=_AT_ONCE)) as rows:
        async for row in rows.mappings():
            # A scan has hundreds of networks.
            await asyncio.sleep(0)
            compared += collectors[row["collector"]].add(row)
            if compared > MOST_COMPARED:
                return Uncovered(broken_off=True)
    networks: dict[str, Sequence[IPv4Network | IPv6Network]] = {}
    for collector, scans in collectors.items():
        if await scans.uncovered(scans.broken_off):
            return Uncovered(broken_off=True)
        if not_reached := await scans.uncovered(scans.not_reached):
            networks[collector] = joined(span.network for span in not_reached)
    if len(joined(chain.from_iterable(networks.values()))) > MOST_NOT_COVERED:
        return Uncovered(broken_off=True)
    return Uncovered(broken_off=False, networks=networks)
