"""What the guard adds to a request, beside the engine and HAProxy with equivalent allow rules."""

import asyncio
import itertools
import multiprocessing
import os
import shutil
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

from engine_socket import SocketConnection

from bench.results import Measured, PartResult, Ratio, Table
from bench.system import ROOT
from bench.turns import Setting
from dryrun_local.machine.engine_view import DEFAULT_HOST
from dryrun_local.machine.installation import Installation
from dryrun_local.system.guard import running_guard
from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import ContainerSpec, NetworkSpec

ABOUT = """\
A ping and an inspection, asked of the engine itself, of the guard and of HAProxy with equivalent allow
rules. All three listen on a Unix socket, connections stay open, and each round asks all of them in turn:
first one client, one request after another, then eight clients at once."""
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


class Connection(SocketConnection):
    """A kept connection that is asked, and timed."""

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


async def measure(setting: Setting) -> PartResult:
    """Ask all three in turn."""
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
        return await asyncio.to_thread(_ask_in_turn, places, container, setting)


def _ask_in_turn(places: dict[str, str], container: str, setting: Setting) -> PartResult:
    paths = {"ping": "/_ping", "inspection": f"/v1.45/containers/{container}/json"}
    rounds, requests = setting.rounds(4, long=10), setting.amount(300, long=1000)
    seconds = setting.amount(1, long=2)
    took: dict[tuple[str, str], list[list[float]]] = {(who, what): [] for who in places for what in paths}
    rates: dict[tuple[str, str], list[float]] = {(who, what): [] for who in places for what in paths}
    for number in range(rounds):
        setting.say(f"round {number + 1} of {rounds}")
        for who in (*places,) if number % 2 else (*reversed(places),):
            for what, path in paths.items():
                took[who, what].append(latencies(places[who], path, requests))
                rates[who, what].append(rate(places[who], path, seconds, clients=8))
    # Milliseconds; the median of each round is one measurement.
    medians = {key: [statistics.median(each) * 1000 for each in rounds] for key, rounds in took.items()}
    rows = [
        [
            f"{what}, {who}",
            f"{statistics.quantiles(itertools.chain(*took[who, what]), n=100)[98] * 1000:.2f} ms",
            f"{statistics.median(rates[who, what]):,.0f}",
        ]
        for what in paths
        for who in places
    ]
    return PartResult(
        part="guard_requests",
        title="A request through the guard",
        about=ABOUT,
        measured=[
            Measured(name=f"{what}: {who}", values=medians[who, what], unit="ms")
            for what in paths
            for who in places
        ],
        ratios=[
            Ratio(
                name=f"{what}: guard to {other}",
                pairs=list(zip(medians["guard", what], medians[other, what], strict=True)),
            )
            for what in paths
            for other in ("engine", "HAProxy")
        ],
        tables=[
            Table(title="Slowest and many", columns=["", "p99", "requests per second, 8 clients"], rows=rows)
        ],
    )
