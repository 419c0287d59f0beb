"""What every engine promises of its streams: logs, events and standard input, the fake too."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta

import pytest

from dryrun_orchestrator.engine.errors import EngineUnreachableError, NotFoundError
from dryrun_orchestrator.engine.protocol import EngineEvent, LogChunk

NOWHERE = "0" * 64


async def test_writes_to_the_standard_input_of_a_container_that_has_one(bench):
    _, network = await bench.network()
    container = await bench.container("listener", network, stdin=True)
    await bench.engine.start_container(container)
    assert (await bench.engine.inspect_container(container)).takes_input
    line = b"a word\x1b " * 20_000
    await bench.engine.send_input(container, b"\n")
    await bench.engine.send_input(container, line + b"\n")
    assert (await bench.log(container, follow=True))["stdout"].strip() == line.strip()
    deaf = await bench.container("idle", network)
    assert not (await bench.engine.inspect_container(deaf)).takes_input
    with pytest.raises(NotFoundError):
        await bench.engine.send_input(NOWHERE, b"x")


async def test_reports_by_an_event_that_a_container_became_healthy(bench):
    _, network = await bench.network()
    container = await bench.container("healthy", network)
    async with bench.engine.events() as events:
        await bench.engine.start_container(container)
        assert (await bench.engine.inspect_container(container)).health in ("starting", "healthy")
        await _wait_for(
            events, lambda event: (event.id, event.action) == (container, "health_status: healthy")
        )
    assert (await bench.engine.inspect_container(container)).health == "healthy"


async def test_reports_what_a_health_check_finds_and_not_its_runs(bench):
    _, network = await bench.network()
    container = await bench.container("healthy", network)
    seen: list[EngineEvent] = []
    async with bench.engine.events() as events:
        await bench.engine.start_container(container)
        await _wait_for(events, lambda event: event.action == "health_status: healthy", seen=seen)
    assert [event.action for event in seen if event.id == container] == ["start", "health_status: healthy"]


async def test_follows_a_log_while_it_is_written(bench):
    _, network = await bench.network()
    container = await bench.container("talker", network)
    await bench.engine.start_container(container)
    async with asyncio.timeout(10), aclosing(bench.engine.read_log(container, follow=True)) as chunks:
        assert await anext(chunks) == LogChunk("stdout", b"first\n")
        assert (await bench.engine.inspect_container(container)).status == "running"
        assert [chunk.data async for chunk in chunks] == [b"second\n"]


@pytest.mark.parametrize("follow", [True, False])
async def test_the_log_of_a_container_that_never_ran_is_empty(bench, follow):
    _, network = await bench.network()
    container = await bench.container("chatty", network)
    assert await bench.log(container, follow=follow) == {"stdout": b"", "stderr": b""}


async def test_leaving_a_log_early_leaves_the_container_alone(bench):
    _, network = await bench.network()
    container = await bench.container("talker", network)
    await bench.engine.start_container(container)
    async with asyncio.timeout(10), aclosing(bench.engine.read_log(container, follow=True)) as chunks:
        await anext(chunks)
    assert (await bench.until(container, lambda detail: detail.status == "exited")).exit_code == 0


async def test_reads_a_log_from_a_moment_on_with_the_times_of_its_entries(bench):
    _, network = await bench.network()
    container = await bench.container("chatty", network)
    await bench.engine.start_container(container)
    detail = await bench.until(container, lambda detail: detail.status == "exited")
    assert detail.started_at <= detail.ended_at
    whole = b""
    # An engine calls a container started a moment after its process may have begun to speak.
    moment = timedelta(seconds=5)
    async for chunk in bench.engine.read_log(container, follow=False, since=detail.started_at - moment):
        whole += chunk.data
    entries = [line.split(b" ", 1) for line in whole.splitlines()]
    assert sorted(text for _, text in entries) == [b"one", b"oops", b"three", b"two"]
    at = {text: datetime.fromisoformat(stamp.decode()) for stamp, text in entries}
    assert detail.started_at - moment < at[b"one"] <= at[b"oops"] <= at[b"two"] < detail.ended_at + moment
    late = b""
    async for chunk in bench.engine.read_log(container, follow=False, since=at[b"two"]):
        late += chunk.data
    assert b"two" in late
    assert b"one" not in late


async def test_reports_what_happens_after_subscription(bench):
    async with bench.engine.events() as events:
        network_id, network = await bench.network()
        container = await bench.container("chatty", network)
        await bench.engine.start_container(container)
        await bench.until(container, lambda detail: detail.status == "exited")
        await bench.engine.remove_container(container)
        await bench.remove_network(network_id)
        seen: list[EngineEvent] = []
        await _wait_for(events, lambda event: (event.id, event.action) == (network_id, "destroy"), seen=seen)
    of_network = [event for event in seen if event.id == network_id]
    assert of_network[0].action == "create"
    assert all(event.kind == "network" and event.labels == {} for event in of_network)
    of_container = [event for event in seen if event.id == container]
    assert [event.action for event in of_container] == ["create", "start", "die", "destroy"]
    for event in of_container:
        assert event.kind == "container"
        assert bench.container_spec("idle", network).labels.items() <= event.labels.items()
        assert not {"image", "name", "exitCode"} & event.labels.keys()


async def test_two_subscribers_hear_the_same(bench):
    async with bench.engine.events() as one, bench.engine.events() as other:
        network_id, _ = await bench.network()
        for events in (one, other):
            await _wait_for(events, lambda event: (event.id, event.action) == (network_id, "create"))


async def test_closing_breaks_the_streams_that_are_open(bench):
    _, network = await bench.network()
    container = await bench.container("idle", network)
    await bench.engine.start_container(container)
    async with bench.engine.events() as events:
        log = asyncio.create_task(bench.log(container, follow=True))
        listening = asyncio.create_task(_wait_for(events, lambda _: False))
        await asyncio.sleep(0.1)
        await bench.engine.close()
        with pytest.raises(EngineUnreachableError):
            await listening
        with pytest.raises(EngineUnreachableError):
            await log
    assert (await bench.engine.inspect_container(container)).status == "running"


async def _wait_for(
    events: AsyncIterator[EngineEvent],
    wanted: Callable[[EngineEvent], bool],
    seen: list[EngineEvent] | None = None,
) -> None:
    async with asyncio.timeout(15):
        async for event in events:
            if seen is not None:
                seen.append(event)
            if wanted(event):
                return
