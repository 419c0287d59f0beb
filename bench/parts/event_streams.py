"""How long an event takes from the orchestrator to everybody who looks on, with many streams open."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from fake_orchestrator import FakeOrchestrator
from served_orchestrator import served

from bench.intervals import percentile
from bench.results import PartResult, Table
from bench.served_api import TOKEN, Served, client, running_postgres, serving
from bench.turns import Setting
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import DiscoveryReported, Event, SessionEnded
from dryrun_contract.session import Outcome

ABOUT = """\
Readers of one session's event stream, each over a connection of its own, while the orchestrator reports
ten events a second. The API is a process of its own on the embedded PostgreSQL; orchestrator and readers
are one program, so both ends of the way are read from one clock."""
STREAMS = 200
PER_SECOND = 10.0
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


async def measure(setting: Setting) -> PartResult:
    """Open the streams and let events happen at a steady pace."""
    async with running_postgres() as postgres:
        return await _measure(postgres.url("dryrun"), setting.amount(100, long=300), setting)


async def _measure(url: str, events: int, setting: Setting) -> PartResult:
    fake = FakeOrchestrator()
    fake.token = TOKEN
    # All readers are one person at one address here.
    names = ("APPROVAL_STREAMS", "APPROVAL_STREAMS_PER_PERSON", "APPROVAL_CONNECTIONS_PER_ADDRESS")
    allowed = dict.fromkeys(names, str(STREAMS + 16))
    async with served(fake) as address, serving(url, address, **allowed) as api, client(api) as http:
        answer = await http.post("/api/v1/dryrun/sessions", json={"template": "small"})
        session_id = answer.raise_for_status().json()["id"]
        before = api.memory_mib()
        streams = [Stream(api, session_id) for _ in range(STREAMS)]
        readers = [asyncio.create_task(stream.run()) for stream in streams]
        async with asyncio.timeout(120):
            await asyncio.gather(*(stream.opened.wait() for stream in streams))
        opened, worked = api.memory_mib(), cpu_seconds(api)
        setting.say(f"{events} events to {STREAMS} readers")
        reported = await tell(fake, UUID(session_id), events)
        during, worked = api.memory_mib(), cpu_seconds(api) - worked
        async with asyncio.timeout(120):
            await asyncio.gather(*readers)
    memory = f"{before:.0f} MiB, with the streams open {opened:.0f}, at the end {during:.0f}"
    rows = [*_delays(streams, reported), ["memory of the API process", memory]]
    rows.append(["processor time of the API process", f"{worked:.1f} s of {events / PER_SECOND:.0f} s"])
    table = Table(title=f"{STREAMS} readers, {len(reported)} events", columns=["", ""], rows=rows)
    return PartResult(part="event_streams", title="Streams of events", about=ABOUT, tables=[table])


async def tell(fake: FakeOrchestrator, session_id: UUID, events: int) -> dict[int, float]:
    """Let things happen at a steady pace; return when each was reported."""
    reported: dict[int, float] = {}

    def remember(event: Event) -> None:
        reported[event.seq] = event.at.timestamp()

    began = time.monotonic()
    for number in range(1, events + 1):
        remember(fake.tell(session_id, found(number)))
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
    remember(fake.tell(session_id, SessionEnded(outcome=Outcome.COMPLETED)))
    return reported


def _delays(streams: list[Stream], reported: dict[int, float]) -> list[list[str]]:
    delays = [
        stream.arrived[seq] - at
        for stream in streams
        for seq, at in reported.items()
        if seq in stream.arrived
    ]
    cells = {"p50": percentile(delays, 0.5), "p99": percentile(delays, 0.99), "worst": max(delays)}
    rows = [[f"from orchestrator to reader, {name}", f"{each * 1000:.0f} ms"] for name, each in cells.items()]
    return [*rows, ["events that a reader missed", str(len(streams) * len(reported) - len(delays))]]
