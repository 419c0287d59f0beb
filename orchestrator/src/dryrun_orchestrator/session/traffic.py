"""Samples what each target receives while collectors run: packets, bytes and the peak rate."""

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field

from dryrun_contract.event import TargetTraffic, TrafficMeasured, TrafficOfCollectors
from dryrun_orchestrator.engine.errors import NotFoundError, TransientEngineError
from dryrun_orchestrator.engine.protocol import Traffic
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.session.context import SessionContext

SAMPLING_SECONDS = 1.0
SHORTEST_INTERVAL_SECONDS = SAMPLING_SECONDS / 2
"""A mean over a shorter interval would exaggerate the peak."""
_NOTHING = Traffic(0, 0, 0, 0)


@dataclass(slots=True)
class _Seen:
    before: Traffic
    last: Traffic
    peak_from: Traffic
    peak_at: float
    is_current: bool = True
    """Whether the last sample read it: a target that has ended shows no counters any more."""


@dataclass(slots=True)
class _Period:
    """Traffic while the same collectors ran."""

    seconds: float = 0.0
    traffic: Traffic = _NOTHING


@dataclass(slots=True)
class TrafficSampler:
    """Samples the counters of all targets. The journal keeps those from before the scan, for a restart."""

    context: SessionContext
    peak: float = 0.0
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _periods: dict[tuple[str, ...], _Period] = field(default_factory=dict)
    _ran: set[str] = field(default_factory=set)
    """Collectors running at the last sample."""
    _at: float = 0.0
    _sampling: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self) -> None:
        """Read the counters at the start of the scan; after a restart, take those in the journal.

        Raises TransientEngineError: a target without a first reading would be missing from the report.
        """
        record = await self.context.record()
        targets = await self._targets()
        read = await asyncio.gather(*map(self._read, targets))
        now_read = {
            target.service: each for target, each in zip(targets, read, strict=True) if each is not None
        }
        if record.traffic_before is not None:
            before = {name: Traffic(**values) for name, values in json.loads(record.traffic_before).items()}
        else:
            before = now_read
            await self.context.journal.update_session(
                self.context.id,
                traffic_before=json.dumps({name: asdict(traffic) for name, traffic in before.items()}),
            )
        self._at = now = time.monotonic()
        for name, traffic in before.items():
            # Traffic before this process counts in the sums, but not in rates or for collectors.
            current = now_read.get(name, traffic)
            self._seen[name] = _Seen(traffic, current, current, now)

    async def sample_forever(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(SAMPLING_SECONDS)
            await self.sample()

    async def sample(self) -> None:
        """Read all counters once."""
        async with self._sampling:
            ran = self._ran | self.context.collecting
            targets = await self._targets()
            read = await asyncio.gather(*map(self._read_or_skip, targets))
            current = dict(zip((target.service for target in targets), read, strict=True))
            now = time.monotonic()
            period = self._periods.setdefault(tuple(sorted(ran)), _Period())
            period.seconds += now - self._at
            for name, seen in self._seen.items():
                traffic = current[name]
                seen.is_current = traffic is not None
                if traffic is None:
                    continue
                period.traffic = _sum(period.traffic, _difference(traffic, seen.last))
                seen.last = traffic
                if (elapsed := now - seen.peak_at) >= SHORTEST_INTERVAL_SECONDS:
                    received = traffic.rx_packets - seen.peak_from.rx_packets
                    self.peak = max(self.peak, received / elapsed)
                    seen.peak_from, seen.peak_at = traffic, now
            self._at = now
            self._ran = set(self.context.collecting)

    def measured(self) -> TrafficMeasured:
        """Return the traffic since the start of the scan."""
        return TrafficMeasured(
            targets={
                name: TargetTraffic(
                    **asdict(_difference(seen.last, seen.before)), at_least=not seen.is_current
                )
                for name, seen in sorted(self._seen.items())
            },
            peak_packets_per_second=round(self.peak, 1),
            sampling_seconds=SAMPLING_SECONDS,
            by_collectors=tuple(
                TrafficOfCollectors(
                    collectors=ran, seconds=round(period.seconds, 2), **asdict(period.traffic)
                )
                for ran, period in sorted(self._periods.items())
            ),
        )

    async def _targets(self) -> list[TargetRecord]:
        return list((await self.context.journal.targets(self.context.id)).values())

    async def _read(self, target: TargetRecord) -> Traffic | None:
        async with self.context.starts:
            try:
                return await self.context.engine.read_traffic(target.container_id)
            except NotFoundError:
                return None

    async def _read_or_skip(self, target: TargetRecord) -> Traffic | None:
        try:
            return await self._read(target)
        except TransientEngineError:
            return None


def _difference(later: Traffic, earlier: Traffic) -> Traffic:
    return Traffic(
        later.rx_packets - earlier.rx_packets,
        later.rx_bytes - earlier.rx_bytes,
        later.tx_packets - earlier.tx_packets,
        later.tx_bytes - earlier.tx_bytes,
    )


def _sum(one: Traffic, other: Traffic) -> Traffic:
    return Traffic(
        one.rx_packets + other.rx_packets,
        one.rx_bytes + other.rx_bytes,
        one.tx_packets + other.tx_packets,
        one.tx_bytes + other.tx_bytes,
    )
