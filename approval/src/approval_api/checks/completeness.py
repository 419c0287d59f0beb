"""Judges what of production was not looked at: what scans did not reach and later scans do not cover."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from dryrun_contract.network import joined

type Network = IPv4Network | IPv6Network

_AT_ONCE = 2000
MOST_NOT_COVERED = 20
"""Networks that complete scans did not reach; with more, production counts as not scanned to its end."""

# What a complete scan did not reach counts as a scan of that which was broken off. What was scanned again, as
# schedules do, is sorted out. In order, a network comes before those inside it.
_SCANNED = text(
    """
    WITH scanned AS (
        SELECT collector, profile, target, excluded, scan.complete IS TRUE AS ended,
            part.complete, reported_at,
            max(reported_at)
                FILTER (WHERE part.complete) OVER (PARTITION BY collector, profile, target) AS again
        FROM gateway.production_scans AS scan CROSS JOIN LATERAL (
            SELECT unnest(targets) AS target, scan.complete IS TRUE AS complete
            UNION ALL SELECT unnest(not_covered), false WHERE scan.complete) AS part
        WHERE NOT target <<= ANY (excluded) AND collector IN (
            SELECT collector FROM gateway.discoveries
            WHERE kind IN ('host', 'service') AND status <> 'rejected' AND gone_at IS NULL)
    ), broken_off AS (
        SELECT * FROM scanned WHERE NOT complete AND reported_at >= coalesce(again, '-infinity')
    ), later AS (
        SELECT * FROM scanned WHERE complete AND collector IN (SELECT collector FROM broken_off)
    )
    SELECT collector, profile, target, excluded, ended, complete, max(reported_at) AS reported_at
    FROM (SELECT * FROM broken_off UNION ALL SELECT * FROM later) AS both_kinds
    GROUP BY collector, profile, target, excluded, ended, complete
    ORDER BY collector, target, complete DESC
    """
)


@dataclass(frozen=True)
class Uncovered:
    """What no later scan covers, one by one or together."""

    broken_off: bool
    """Something of a scan that is under way or did not finish, or more than can be listed."""
    networks: tuple[Network, ...] = ()
    """What complete scans did not reach."""


async def find_uncovered(connection: AsyncConnection) -> Uncovered:
    """Return what scans did not reach and later ones do not cover.

    A scan that excludes a target whole neither covers it nor misses it. What the broken-off scan excluded
    need not be covered.
    """
    not_covered: list[Network] = []
    holding: list[RowMapping] = []
    """Complete scans of networks that hold this one."""
    open_: list[tuple[RowMapping, list[Network]]] = []
    """Those broken off whose networks hold this one, with what covers them of that."""
    async with connection.stream(_SCANNED.execution_options(yield_per=_AT_ONCE)) as rows:
        async for row in rows.mappings():
            # A row is compared with all networks that hold it: with many scans that takes minutes.
            await asyncio.sleep(0)
            holding = [each for each in holding if _holds(each, row)]
            while open_ and not _holds(open_[-1][0], row):
                missed, parts = open_.pop()
                if _is_covered(missed, parts):
                    continue
                if not missed["ended"]:
                    return Uncovered(broken_off=True)
                not_covered.append(missed["target"])
            if row["complete"]:
                holding.append(row)
                for missed, parts in open_:
                    if _is_again(row, missed):
                        parts.append(row["target"])
            elif not any(_is_again(each, row) for each in holding):
                open_.append((row, []))
    left = [missed for missed, parts in open_ if not _is_covered(missed, parts)]
    networks = joined((*not_covered, *(each["target"] for each in left)))
    if len(networks) > MOST_NOT_COVERED or not all(each["ended"] for each in left):
        return Uncovered(broken_off=True)
    return Uncovered(broken_off=False, networks=tuple(networks))


def _holds(outer: RowMapping, inner: RowMapping) -> bool:
    return outer["collector"] == inner["collector"] and _lies_in(inner["target"], (outer["target"],))


def _is_again(later: RowMapping, broken_off: RowMapping) -> bool:
    """Return whether a complete scan looks at least as thoroughly, and leaves no such target out."""
    return (
        later["reported_at"] > broken_off["reported_at"]
        and later["profile"] in {broken_off["profile"], "full"}
        and not _lies_in(broken_off["target"], later["excluded"])
    )


def _is_covered(broken_off: RowMapping, parts: Sequence[Network]) -> bool:
    target: Network = broken_off["target"]
    left_out = [each for each in broken_off["excluded"] if _lies_in(each, (target,))]
    return any(_lies_in(target, (network,)) for network in collapse_addresses([*parts, *left_out]))


def _lies_in(network: Network, others: Iterable[Network]) -> bool:
    return any(network.prefixlen >= other.prefixlen and network.network_address in other for other in others)
