"""The adapter behind HAProxy with rules of the kind that socket proxies have, older and newer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from haproxy import RECORD, open_haproxy

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import EngineUnreachableError, ForbiddenError, NotFoundError

pytestmark = pytest.mark.engine

NOWHERE = "0" * 64
type StartProxy = Callable[..., DockerEngine]


@pytest.fixture
def start_proxy() -> Iterator[StartProxy]:
    with contextlib.ExitStack() as exits:

        def start(flags: frozenset[str], *, newer: bool, cut_seconds: int = 600) -> DockerEngine:
            proxy = exits.enter_context(open_haproxy())
            proxy.start(flags, newer=newer, cut_seconds=cut_seconds)
            return DockerEngine(proxy.docker_host)

        yield start


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
