"""Judges whether production was scanned to its end: what was not reached has to be covered by later scans."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

type Network = IPv4Network | IPv6Network

_AT_ONCE = 2000

# What a complete scan did not reach counts as a scan of that which was broken off. What was scanned again, as
# schedules do, is sorted out. In order, a network comes before those inside it.
_SCANNED = text(
    """
    WITH scanned AS (
        SELECT collector, profile, target, excluded, part.complete, reported_at, max(reported_at)
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
    SELECT collector, profile, target, excluded, complete, max(reported_at) AS reported_at
    FROM (SELECT * FROM broken_off UNION ALL SELECT * FROM later) AS both_kinds
    GROUP BY collector, profile, target, excluded, complete
    ORDER BY collector, target, complete DESC
    """
)


async def is_complete(connection: AsyncConnection) -> bool:
    """Return whether later scans cover what was broken off, one by one or together.

    A scan that excludes a target whole neither covers it nor misses it. What the broken-off scan excluded
    need not be covered.
    """
    holding: list[RowMapping] = []
    """Complete scans of networks that hold this one."""
    open_: list[tuple[RowMapping, list[Network]]] = []
    """Those broken off whose networks hold this one, with what covers them of that."""
    async with connection.stream(_SCANNED.execution_options(yield_per=_AT_ONCE)) as rows:
        async for row in rows.mappings():
            holding = [each for each in holding if _holds(each, row)]
            while open_ and not _holds(open_[-1][0], row):
                if not _is_covered(*open_.pop()):
                    return False
            if row["complete"]:
                holding.append(row)
                for broken_off, parts in open_:
                    if _is_again(row, broken_off):
                        parts.append(row["target"])
            elif not any(_is_again(each, row) for each in holding):
                open_.append((row, []))
    return all(_is_covered(*each) for each in open_)


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
