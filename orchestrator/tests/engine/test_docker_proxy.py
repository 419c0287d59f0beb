"""The adapter behind HAProxy with rules of the kind that socket proxies have, older and newer."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import EngineUnreachableError, ForbiddenError, NotFoundError

pytestmark = pytest.mark.engine

NOWHERE = "0" * 64
RECORD = {"CONTAINERS", "NETWORKS", "POST", "DELETE", "EVENTS", "PING", "VERSION", "LOGS"}
"""Switched on by the record, or by default; LOGS is a flag of newer proxies only."""
SECTIONS = {
    "CONTAINERS": "/containers",
    "NETWORKS": "/networks",
    "EVENTS": "/events",
    "PING": "/_ping",
    "VERSION": "/version",
}

type StartProxy = Callable[..., DockerEngine]


def rules(flags: set[str], *, newer: bool) -> str:
    """Return rules by method and path; in the newer form DELETE and logs have flags of their own."""
    lines = []
    if newer:
        methods = ["GET", "HEAD", *({"POST", "DELETE"} & flags)]
        lines.append(f"http-request deny unless {{ method {' '.join(methods)} }}")
        if "LOGS" not in flags:
            lines.append(r"http-request deny if { path -m reg ^(/v[0-9.]+)?/containers/[^/]+/logs }")
    elif "POST" not in flags:
        lines.append("http-request deny unless { method GET HEAD }")
    lines += [
        f"http-request allow if {{ path -m reg ^(/v[0-9.]+)?{path} }}"
        for flag, path in SECTIONS.items()
        if flag in flags
    ]
    return "\n    ".join([*lines, "http-request deny"])


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[StartProxy]:
    haproxy = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if haproxy is None:
        pytest.fail("haproxy is not installed; `make test` installs it", pytrace=False)
    running: list[subprocess.Popen[bytes]] = []

    def start(flags: set[str], *, newer: bool, cut_seconds: int = 600) -> DockerEngine:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configuration = tmp_path / f"haproxy-{port}.cfg"
        configuration.write_text(
            f"""
defaults
    mode http
    option http-server-close
    timeout connect 5s
    timeout client {cut_seconds}s
    timeout server {cut_seconds}s
frontend socket
    bind 127.0.0.1:{port}
    {rules(flags, newer=newer)}
    default_backend engine
backend engine
    server engine /var/run/docker.sock
"""
        )
        running.append(subprocess.Popen([haproxy, "-db", "-f", configuration], stderr=subprocess.PIPE))
        _wait_for_port(port)
        return DockerEngine(f"tcp://127.0.0.1:{port}")

    yield start
    for process in running:
        process.terminate()
        process.communicate()


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < end, "haproxy did not start"
        time.sleep(0.05)


@pytest.mark.parametrize("newer", [False, True], ids=["older", "newer"])
async def test_a_whole_life_passes_with_the_record_s_settings(real_bench, start_proxy, newer):
    real_bench.engine = engine = start_proxy(RECORD, newer=newer)
    await engine.ping()
    await engine.version()
    async with engine.events() as events, asyncio.timeout(30):
        network_id, network = await real_bench.network()
        while (await anext(events)).id != network_id:
            pass
        container = await real_bench.container("talker", network)
        await engine.start_container(container)
        assert await real_bench.log(container, follow=True) == {"stdout": b"first\nsecond\n", "stderr": b""}
        await engine.read_traffic(container)
        assert (await engine.inspect_container(container)).id == container
        await engine.stop_container(container, timedelta(seconds=1))
        await engine.remove_container(container)
        await real_bench.remove_network(network_id)
    assert await engine.list_containers(real_bench.label) == []
    assert await engine.list_networks(real_bench.label) == []


CALLS_BY_FLAG = {
    "CONTAINERS": ("GET /containers/json", lambda engine: engine.list_containers("a")),
    "NETWORKS": ("GET /networks", lambda engine: engine.list_networks("a")),
    "EVENTS": ("GET /events", lambda engine: engine.events().__aenter__()),
    "PING": ("GET /_ping", lambda engine: engine.ping()),
    "VERSION": ("GET /version", lambda engine: engine.list_containers("a")),
    "POST": (f"POST /containers/{NOWHERE}/start", lambda engine: engine.start_container(NOWHERE)),
    "DELETE": (f"DELETE /containers/{NOWHERE}", lambda engine: engine.remove_container(NOWHERE)),
    "LOGS": (f"GET /containers/{NOWHERE}/logs", lambda engine: anext(engine.read_log(NOWHERE, follow=False))),
}


@pytest.mark.parametrize("flag", CALLS_BY_FLAG)
async def test_a_flag_that_is_missing_is_named(start_proxy, flag):
    call, make = CALLS_BY_FLAG[flag]
    engine = start_proxy(RECORD - {flag}, newer=True)
    with pytest.raises(ForbiddenError) as caught:
        await make(engine)
    assert str(caught.value).startswith(f"{call}: ")
    assert f"{flag}=1" in str(caught.value)
    await engine.close()


@pytest.mark.parametrize("flag", ["POST", "DELETE", "LOGS"])
async def test_a_call_that_passes_is_answered_by_the_engine(start_proxy, flag):
    engine = start_proxy(RECORD, newer=True)
    with pytest.raises(NotFoundError):
        await CALLS_BY_FLAG[flag][1](engine)
    await engine.close()


async def test_a_quiet_log_that_the_proxy_cuts_does_not_pass_for_its_end(real_bench, start_proxy):
    _, network = await real_bench.network()
    container = await real_bench.container("idle", network)
    await real_bench.engine.start_container(container)
    cutting = start_proxy(RECORD, newer=False, cut_seconds=1)
    with pytest.raises(EngineUnreachableError):
        await _exhaust(cutting.read_log(container, follow=True))
    async with cutting.events() as events:
        with pytest.raises(EngineUnreachableError):
            await _exhaust(events)
    await cutting.close()


async def _exhaust(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass
