"""Samples what each target receives while collectors run: packets, bytes and the peak rate."""

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field

from dryrun_contract.event import TargetTraffic, TrafficMeasured
from dryrun_orchestrator.engine.protocol import NotFoundError, Traffic, TransientEngineError
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.session.context import SessionContext

SAMPLING_SECONDS = 1.0


@dataclass(slots=True)
class _Seen:
    before: Traffic
    last: Traffic
    at: float
    ended: bool = False


@dataclass(slots=True)
class TrafficSampler:
    """Counters of all targets; those from before the scan are kept in the journal, for a restart midway."""

    context: SessionContext
    peak: float = 0.0
    restarted: bool = False
    _seen: dict[str, _Seen] = field(default_factory=dict)

    async def begin(self) -> None:
        """Read the counters that the scan starts from, or the ones an earlier process began with."""
        record = await self.context.record()
        if record.traffic_before is not None:
            self.restarted = True
            before = {name: Traffic(**values) for name, values in json.loads(record.traffic_before).items()}
        else:
            before = await self._read_all()
            await self.context.journal.update_session(
                self.context.id,
                traffic_before=json.dumps({name: asdict(traffic) for name, traffic in before.items()}),
            )
        now = time.monotonic()
        self._seen = {name: _Seen(traffic, traffic, now) for name, traffic in before.items()}

    async def sample_forever(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(SAMPLING_SECONDS)
            await self.sample()

    async def sample(self) -> None:
        """Read all counters once more."""
        current = await self._read_all()
        now = time.monotonic()
        for name, seen in self._seen.items():
            traffic = current.get(name)
            if traffic is None:
                seen.ended = True
                continue
            if (elapsed := now - seen.at) > 0:
                self.peak = max(self.peak, (traffic.rx_packets - seen.last.rx_packets) / elapsed)
            seen.last, seen.at = traffic, now

    def measured(self) -> TrafficMeasured:
        """Return what was received and sent since the beginning."""
        return TrafficMeasured(
            targets={
                name: TargetTraffic(
                    rx_packets=seen.last.rx_packets - seen.before.rx_packets,
                    rx_bytes=seen.last.rx_bytes - seen.before.rx_bytes,
                    tx_packets=seen.last.tx_packets - seen.before.tx_packets,
                    tx_bytes=seen.last.tx_bytes - seen.before.tx_bytes,
                    at_least=seen.ended,
                )
                for name, seen in sorted(self._seen.items())
            },
            peak_packets_per_second=round(self.peak, 1),
            sampling_seconds=SAMPLING_SECONDS,
        )

    async def _read_all(self) -> dict[str, Traffic]:
        targets = await self.context.journal.targets(self.context.id)
        read = await asyncio.gather(*(self._read(target) for target in targets.values()))
        return {name: traffic for name, traffic in zip(targets, read, strict=True) if traffic is not None}

    async def _read(self, target: TargetRecord) -> Traffic | None:
        async with self.context.starts:
            try:
                return await self.context.engine.read_traffic(target.container_id)
            except (NotFoundError, TransientEngineError):
                return None
