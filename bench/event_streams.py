"""How long an event takes from the orchestrator to everybody who looks on, with many streams open.

With PYTHONPATH=tests/support:approval/tests/support:
`.venv/bin/python bench/event_streams.py [--streams 200] [--events 300] [--per-second 10] [--processes 1]`

The API is a process of its own (or several side by side), on the embedded PostgreSQL. Orchestrator and
readers are this program, so both ends of the way are read from one clock.
"""

import argparse
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from fake_orchestrator import FakeOrchestrator
from served_api import TOKEN, Served, client, percentile, running_postgres, serving
from served_orchestrator import served

from dryrun_contract.discovery import Discovery
from dryrun_contract.event import DiscoveryReported, Event, SessionEnded
from dryrun_contract.session import Outcome

LONGEST_SECONDS = 1.0
_TICKS_PER_SECOND = 100


class Stream:
    """One reader, over a bare socket: two hundred HTTP clients would measure themselves."""

    def __init__(self, served: Served, session_id: str) -> None:
        self._address = urlsplit(served.url)
        self._path = f"/api/v1/dryrun/sessions/{session_id}/events"
        self.opened = asyncio.Event()
        self.arrived: dict[int, float] = {}

    async def run(self) -> None:
        """Read until the stream ends."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        head = (
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._address.netloc}",
            f"Authorization: Bearer {TOKEN}",
            "Accept: text/event-stream",
        )
        writer.write("\r\n".join((*head, "", "")).encode())
        async for line in reader:
            if line.startswith(b"retry:"):
                self.opened.set()
            elif line.startswith(b"id: "):
                self.arrived[int(line[4:])] = time.time()
            elif line == b"0\r\n":
                break
        writer.close()


def found(number: int) -> DiscoveryReported:
    """Return an event of a usual size."""
    discovery = Discovery(
        kind="service",
        key=f"10.213.{number % 250}.3:5432/tcp",
        data={"product": "PostgreSQL", "version": "17.2", "banner": "x" * 200},
    )
    return DiscoveryReported(collector="network", run="1", line=number, discovery=discovery)


def cpu_seconds(served: Served) -> float:
    """Return the processor time that the API process has taken."""
    fields = Path(f"/proc/{served.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


async def measure(url: str, arguments: argparse.Namespace) -> bool:
    """Print what was measured; return whether it was fast enough and nothing was missed."""
    fake = FakeOrchestrator()
    fake.token = TOKEN
    async with AsyncExitStack() as exits:
        address = await exits.enter_async_context(served(fake))
        # All readers are one person at one address here.
        allowed = {
            name: str(arguments.streams + 16)
            for name in (
                "APPROVAL_STREAMS",
                "APPROVAL_STREAMS_PER_PERSON",
                "APPROVAL_CONNECTIONS_PER_ADDRESS",
            )
        }
        apis = [
            await exits.enter_async_context(serving(url, address, **allowed))
            for _ in range(arguments.processes)
        ]
        http = await exits.enter_async_context(client(apis[0]))
        answer = await http.post("/api/v1/dryrun/sessions", json={"template": "small"})
        session_id = answer.raise_for_status().json()["id"]
        before = [api.memory_mib() for api in apis]
        streams = [Stream(apis[number % len(apis)], session_id) for number in range(arguments.streams)]
        readers = [asyncio.create_task(stream.run()) for stream in streams]
        async with asyncio.timeout(120):
            await asyncio.gather(*(stream.opened.wait() for stream in streams))
        opened = [api.memory_mib() for api in apis]
        worked = [cpu_seconds(api) for api in apis]
        reported = await tell(fake, UUID(session_id), arguments)
        during = [api.memory_mib() for api in apis]
        worked = [cpu_seconds(api) - earlier for api, earlier in zip(apis, worked, strict=True)]
        async with asyncio.timeout(120):
            await asyncio.gather(*readers)
        return tell_result(streams, reported, (before, opened, during), worked, arguments)


async def tell(fake: FakeOrchestrator, session_id: UUID, arguments: argparse.Namespace) -> dict[int, float]:
    """Let things happen at a steady pace; return when each was reported."""
    reported: dict[int, float] = {}

    def remember(event: Event) -> None:
        reported[event.seq] = event.at.timestamp()

    began = time.monotonic()
    for number in range(1, arguments.events + 1):
        remember(fake.tell(session_id, found(number)))
        await asyncio.sleep(max(0.0, began + number / arguments.per_second - time.monotonic()))
    remember(fake.tell(session_id, SessionEnded(outcome=Outcome.COMPLETED)))
    return reported


def tell_result(
    streams: list[Stream],
    reported: dict[int, float],
    memory: tuple[list[float], list[float], list[float]],
    worked: list[float],
    arguments: argparse.Namespace,
) -> bool:
    """Print the figures; return whether they are good enough."""
    delays = [
        stream.arrived[seq] - at
        for stream in streams
        for seq, at in reported.items()
        if seq in stream.arrived
    ]
    missed = len(streams) * len(reported) - len(delays)
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    at = f"{len(reported)} events at {arguments.per_second:g}/s"
    print(f"{len(streams)} streams, {at}, {len(worked)} API process(es)")
    delay = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, worst {max(delays) * 1000:.0f} ms"
    print(f"from orchestrator to reader: {delay}")
    print(f"events missed: {missed}")
    for name, values in zip(("before", "streams open", "at the end"), memory, strict=True):
        print(f"memory {name}: {json.dumps([round(value) for value in values])} MiB")
    print(f"processor time: {json.dumps([round(value, 1) for value in worked])} s")
    return p99 <= LONGEST_SECONDS and missed == 0


def main() -> None:
    """Measure; exit code 1 when the 99th percentile takes longer than a second or an event is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--per-second", type=float, default=10)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    with running_postgres() as postgres:
        fine = asyncio.run(measure(postgres.url("dryrun"), arguments))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
