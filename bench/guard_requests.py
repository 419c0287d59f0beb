"""What the guard adds to a request: beside the engine itself, and beside HAProxy with equivalent allow rules.

All three listen on a Unix socket, keep connections open, and are asked in turn, so that they see the same
machine. Run `make demo` once before.
"""

import argparse
import asyncio
import http.client
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from uuid import uuid4

from dryrun_local.machine.engine_view import DEFAULT_HOST
from dryrun_local.machine.installation import Installation
from dryrun_local.system.guard import running_guard
from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import ContainerSpec, NetworkSpec

ROOT = Path(__file__).resolve().parents[1]
SUBNET = IPv4Network("10.213.223.0/27")
PROBE = "discovery/test-collector-probe:1.0"
HAPROXY = r"""
defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend guarded
    bind unix@{listen}
    http-request allow if {{ method GET HEAD }} {{ path -m reg ^(/v1\.4[45])?/_ping$ }}
    http-request allow if {{ method GET }} {{ path -m reg ^(/v1\.4[45])?/(version|events|networks)$ }}
    http-request allow if {{ method GET }} {{ path -m reg ^(/v1\.4[45])?/containers/json$ }}
    http-request allow if {{ method GET }} {{ path -m reg ^(/v1\.4[45])?/containers/[A-Za-z0-9_.-]+/(json|logs|stats)$ }}
    http-request allow if {{ method GET }} {{ path -m reg ^(/v1\.4[45])?/networks/[A-Za-z0-9_.-]+$ }}
    http-request allow if {{ method POST }} {{ path -m reg ^(/v1\.4[45])?/(containers|networks)/create$ }}
    http-request allow if {{ method POST }} {{ path -m reg ^(/v1\.4[45])?/containers/[A-Za-z0-9_.-]+/(start|stop|wait)$ }}
    http-request allow if {{ method DELETE }} {{ path -m reg ^(/v1\.4[45])?/(containers|networks)/[A-Za-z0-9_.-]+$ }}
    http-request deny
    default_backend engine
backend engine
    server engine unix@{engine}
"""  # noqa: E501 - its own language


class Connection(http.client.HTTPConnection):
    """A kept connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)

    def ask(self, path: str) -> float:
        """Return the seconds that one request takes. Raises RuntimeError unless it is answered 200."""
        begin = time.perf_counter()
        self.request("GET", path)
        answer = self.getresponse()
        answer.read()
        took = time.perf_counter() - begin
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status}")
        return took


def latencies(sock: str, path: str, number: int) -> list[float]:
    """Ask one request after the other on one connection."""
    connection = Connection(sock)
    try:
        connection.ask(path)
        return [connection.ask(path) for _ in range(number)]
    finally:
        connection.close()


def _hammer(sock: str, path: str, seconds: float, answered: "multiprocessing.Queue[int]") -> None:
    connection, number = Connection(sock), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.ask(path)
        number += 1
    answered.put(number)


def rate(sock: str, path: str, seconds: float, clients: int) -> float:
    """Return requests per second that `clients` processes get answered, each on its own connection."""
    context = multiprocessing.get_context("fork")
    answered: multiprocessing.Queue[int] = context.Queue()
    hammers = [context.Process(target=_hammer, args=(sock, path, seconds, answered)) for _ in range(clients)]
    for hammer in hammers:
        hammer.start()
    number = sum(answered.get(timeout=seconds + 60) for _ in hammers)
    for hammer in hammers:
        hammer.join()
    return number / seconds


@contextmanager
def haproxy(folder: Path, engine: str) -> Iterator[str]:
    """Run HAProxy for the time of the block; yields its socket."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("haproxy is not installed; `setup/setup test` installs it")
    listen, configuration = str(folder / "haproxy.sock"), folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(listen=listen, engine=engine))
    with subprocess.Popen([program, "-db", "-f", str(configuration)]) as process:
        try:
            end = time.monotonic() + 10
            while not Path(listen).exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit("haproxy does not listen")
                time.sleep(0.05)
            yield listen
        finally:
            process.terminate()


@asynccontextmanager
async def session(docker_host: str, allowlist: Path) -> AsyncIterator[str]:
    """Make a session of one container, never started, as an orchestrator does; yields its id."""
    engine = DockerEngine(docker_host)
    session_id = uuid4()
    image = load_allowlist(allowlist).images[PROBE]
    expires_at = (datetime.now(UTC) + timedelta(minutes=25)).strftime("%Y-%m-%dT%H:%M:%SZ")
    prefix = "discovery.dryrun."
    shared = {
        f"{prefix}session_id": str(session_id),
        f"{prefix}owner": str(uuid4()),
        f"{prefix}template": "bench",
        f"{prefix}expires_at": expires_at,
    }
    own = {f"{prefix}service": "bench", f"{prefix}role": "collector", f"{prefix}image": PROBE}
    name = f"dryrun-{session_id}"
    network = await engine.create_network(NetworkSpec(name, f"dr-{session_id.hex[:12]}", str(SUBNET), shared))
    container = ""
    try:
        container = await engine.create_container(
            ContainerSpec(
                name=f"dryrun-bench-{session_id.hex[:12]}",
                image_id=image.id,
                image_name=PROBE,
                network=name,
                address=str(SUBNET[3]),
                aliases=(),
                labels=shared | own,
                tmpfs=image.tmpfs,
            )
        )
        yield container
    finally:
        if container:
            await engine.remove_container(container)
        await engine.remove_network(network)
        await engine.close()


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] * 1000


def measure(places: dict[str, str], container: str, rounds: int, requests: int, seconds: float) -> str:
    """Ask everybody in turn; return the Markdown table."""
    paths = {"ping": "/_ping", "inspect": f"/v1.45/containers/{container}/json"}
    took: dict[tuple[str, str], list[float]] = {(who, what): [] for who in places for what in paths}
    rates: dict[tuple[str, str], list[float]] = {(who, what): [] for who in places for what in paths}
    for number in range(rounds):
        for who in (*places,) if number % 2 else (*reversed(places),):
            for what, path in paths.items():
                took[who, what] += latencies(places[who], path, requests)
                rates[who, what].append(rate(places[who], path, seconds, clients=8))
        print(f"round {number + 1} of {rounds}", flush=True)
    rows = [
        "| | ping p50, ms | p99 | per second | inspect p50, ms | p99 | per second |",
        "|---|---|---|---|---|---|---|",
    ]
    for who in places:
        cells = [
            cell
            for what in paths
            for cell in (
                f"{_percentile(took[who, what], 50):.2f}",
                f"{_percentile(took[who, what], 99):.2f}",
                f"{statistics.median(rates[who, what]):,.0f}",
            )
        ]
        rows.append(f"| {who} | {' | '.join(cells)} |")
    for who in list(places)[1:]:
        cells = [
            cell
            for what in paths
            for cell in (
                *(
                    f"+{_percentile(took[who, what], p) - _percentile(took['engine', what], p):.2f}"
                    for p in (50, 99)
                ),
                f"{statistics.median(rates[who, what]) / statistics.median(rates['engine', what]):.0%}",
            )
        ]
        rows.append(f"| added by {who} | {' | '.join(cells)} |")
    return "\n".join(rows)


async def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=1000, help="one after the other, in each round")
    parser.add_argument("--seconds", type=float, default=2, help="with 8 clients, in each round")
    wanted = parser.parse_args()
    engine = (os.environ.get("DOCKER_HOST") or DEFAULT_HOST).removeprefix("unix://")
    async with AsyncExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="db-")))
        installation = Installation(ROOT, state)
        installation.prepare()
        allowlist = Installation.here().allowlist
        environ = os.environ | {"ORCHESTRATOR_ALLOWLIST": str(allowlist)}
        _, guard = await exits.enter_async_context(
            running_guard(installation, environ, os.environ, {"sessions": 100, "containers": 2000})
        )
        container = await exits.enter_async_context(session(guard, allowlist))
        places = {
            "engine": engine,
            "guard": guard.removeprefix("unix://"),
            "HAProxy": exits.enter_context(haproxy(state, engine)),
        }
        table = await asyncio.to_thread(
            measure, places, container, wanted.rounds, wanted.requests, wanted.seconds
        )
    print(f"\n{table}")


if __name__ == "__main__":
    asyncio.run(main())
