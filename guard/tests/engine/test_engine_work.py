"""What clients have the engine do at once: bounded, so that a removal that is due finds it free."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from guard_stage import Guard, Words, in_seconds, on_behalf_of

from docker_guard.engine import engine_work
from docker_guard.engine.engine_work import EngineWork
from docker_guard.leaving import Leaving
from docker_guard.refusal import Refusal
from docker_guard.rules.policy import Policy

_AT_ONCE = 3


@pytest.fixture
def policy() -> Policy:
    return Policy(calls_at_once=_AT_ONCE, engine_seconds=2)


async def _call(
    work: EngineWork, client: str, seconds: float, log: list[str], left: Leaving | None = None
) -> None:
    on_behalf_of(client, left)
    async with work.place():
        log.append(client)
        await asyncio.sleep(seconds)


async def test_others_wait_and_each_client_has_its_turn():
    log: list[str] = []
    work = EngineWork(Policy(calls_at_once=1), 5)
    async with asyncio.TaskGroup() as group:
        for client in ("many", "many", "many", "few", "few"):
            group.create_task(_call(work, client, 0.01, log))
    assert log == ["many", "many", "few", "many", "few"]


async def test_calls_that_gave_up_cost_their_client_no_turn():
    log: list[str] = []
    work = EngineWork(Policy(calls_at_once=1), 5)
    async with asyncio.TaskGroup() as group, work.place():
        given_up = [group.create_task(_call(work, "few", 0, log)) for _ in range(3)]
        await asyncio.sleep(0)
        for client in ("many", "many", "many", "few"):
            group.create_task(_call(work, client, 0, log))
        await asyncio.sleep(0)
        for call in given_up:
            call.cancel()
        await asyncio.sleep(0)
    assert log == ["few", "many", "many", "many"]


async def test_call_that_hangs_keeps_nobody_waiting_for_long():
    work, begun = EngineWork(Policy(calls_at_once=1), 0.05), time.monotonic()
    hanging = asyncio.create_task(_call(work, "a", 60, []))
    await asyncio.sleep(0)
    await _call(work, "b", 0, [])
    assert time.monotonic() - begun < 5
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert work._held == work._under_way == 0  # its place was given back once, not twice


@pytest.mark.parametrize("ending", [False, True])
async def test_calls_that_hang_are_few_unless_they_end_something(ending: bool):
    log: list[str] = []
    work = EngineWork(Policy(calls_at_once=3), 0.02, ending=ending)
    calls = [asyncio.create_task(_call(work, "a", 60, log)) for _ in range(12)]
    await asyncio.sleep(0.3)
    assert len(log) == (12 if ending else 6)
    calls[0].cancel()
    await asyncio.sleep(0.1)
    assert len(log) == (12 if ending else 7)  # one that ends makes room
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert work._held == work._under_way == 0


async def test_calls_of_one_client_that_hang_keep_no_other_from_the_engine():
    log: list[str] = []
    work = EngineWork(Policy(calls_at_once=2, engine_seconds=60), 0.02)
    hanging = [asyncio.create_task(_call(work, "a", 60, log)) for _ in range(8)]
    await asyncio.sleep(0.2)
    assert log == ["a"] * 4
    others = [asyncio.create_task(_call(work, "b", 60, log)) for _ in range(3)]
    async with asyncio.timeout(5):
        await _call(work, "c", 0, log)
    assert (log[4:].count("b"), log.count("a")) == (1, 4)
    for call in (*hanging, *others):
        call.cancel()
    await asyncio.gather(*hanging, *others, return_exceptions=True)
    assert work._held == work._under_way == 0
    assert not work._of_client


async def test_calls_on_overlays_that_hang_keep_none_of_their_client_from_the_engine():
    """They wait for a fleet's manager, of which a session on a bridge knows nothing."""
    log: list[str] = []
    work = EngineWork(Policy(calls_at_once=2, engine_seconds=60), 0.02)

    async def on_overlay() -> None:
        on_behalf_of("a")
        async with work.place(on_overlay=True):
            log.append("hangs")
            await asyncio.sleep(60)

    hanging = [asyncio.create_task(on_overlay()) for _ in range(8)]
    await asyncio.sleep(0.2)
    assert log == ["hangs"] * 4
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(_call(work, "a", 0, log))
    assert log[4:] == ["a"] * 3
    for call in hanging:
        call.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert work._held == work._under_way == 0
    assert not work._of_client


async def test_wait_without_end_is_refused_and_costs_no_place():
    work = EngineWork(Policy(calls_at_once=1, engine_seconds=0.05), 60)
    async with work.place():
        with pytest.raises(Refusal) as refused:
            async with work.place():
                pass
        assert (refused.value.rule, refused.value.status) == ("crowd", 503)
        waiting = asyncio.create_task(_call(work, "a", 0, []))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(5), work.place():
        pass


async def test_clients_have_few_creations_starts_stops_and_removals_under_way(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.create_seconds = guard.engine.change_seconds = 0.05
    bodies = [words.container(NetworkingConfig=None) for _ in range(12)]
    made = await asyncio.gather(*map(guard.make_container, bodies))
    paths = [f"/v1.45/containers/{each}" for each in made]
    for method, end, status in (("POST", "/start", 204), ("POST", "/stop", 204), ("DELETE", "", 204)):
        replies = await asyncio.gather(*(guard.ask(method, path + end) for path in paths))
        assert {reply.status for reply in replies} == {status}
        assert guard.engine.most_under_way == _AT_ONCE
    others = [Words() for _ in range(8)]
    await asyncio.gather(*map(guard.make_session, others))
    await asyncio.gather(*(guard.ask("DELETE", f"/v1.45/networks/{each.network_name}") for each in others))
    assert guard.engine.most_under_way == _AT_ONCE


@pytest.mark.parametrize("kind", ["containers", "networks", "network"])
async def test_clients_have_few_lists_under_way(guard: Guard, kind: str):
    words = Words()
    network = await guard.make_session(words)
    made = await guard.make_container(words.container(NetworkingConfig=None))
    guard.engine.networks[network]["Containers"] = {made: {}}
    path = {"containers": "/containers/json", "networks": "/networks", "network": f"/networks/{network}"}[
        kind
    ]
    guard.engine.list_seconds, begun = 0.1, time.monotonic()
    replies = await asyncio.gather(*(guard.ask("GET", f"/v1.45{path}") for _ in range(3 * _AT_ONCE)))
    assert {reply.status for reply in replies} == {200}
    assert time.monotonic() - begun >= 3 * guard.engine.list_seconds


async def test_what_is_listed_again_for_want_of_overlays_counts_as_a_list(guard: Guard):
    path = f"/v1.45/networks?{urlencode({'filters': json.dumps({'driver': ['overlay']})})}"
    guard.engine.list_seconds, begun = 0.1, time.monotonic()
    replies = await asyncio.gather(*(guard.ask("GET", path) for _ in range(3 * _AT_ONCE)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, b"[]")}
    assert time.monotonic() - begun >= 6 * guard.engine.list_seconds


async def test_removals_do_not_wait_for_starts(guard: Guard):
    words = Words()
    await guard.make_session(words)
    made = [await guard.make_container(words.container(NetworkingConfig=None)) for _ in range(_AT_ONCE + 1)]
    guard.engine.change_seconds = 0.5
    starts = [asyncio.create_task(guard.ask("POST", f"/v1.45/containers/{each}/start")) for each in made[:-1]]
    await _until(lambda: guard.engine.under_way == _AT_ONCE)
    guard.engine.change_seconds = 0
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made[-1]}")).status == 204
    assert not any(start.done() for start in starts)
    await asyncio.gather(*starts)


async def test_start_that_waited_until_its_sessions_deadline_does_not_happen(guard: Guard, monkeypatch):
    words = Words()
    await guard.make_session(words)
    made = [await guard.make_container(words.container(NetworkingConfig=None)) for _ in range(_AT_ONCE + 1)]
    guard.engine.released.clear()
    starts = [asyncio.create_task(guard.ask("POST", f"/v1.45/containers/{each}/start")) for each in made]
    await _until(lambda: guard.engine.under_way == _AT_ONCE)
    networks = guard.door._gate._networks
    monkeypatch.setattr(networks._deadlines, "is_over", lambda _: True)
    guard.engine.released.set()
    assert sorted(reply.status for reply in await asyncio.gather(*starts)) == [204] * _AT_ONCE + [403]
    assert "deadline" in {line["rule"] for line in guard.decisions}


@pytest.mark.parametrize("event", ["passed", "moved"])
async def test_network_whose_deadline_passed_or_was_set_while_it_waited_is_not_created(
    guard: Guard, monkeypatch, event: str
):
    sessions = [Words() for _ in range(_AT_ONCE + 1)]
    guard.engine.released.clear()
    calls = [asyncio.create_task(guard.make_session(words)) for words in sessions[:-1]]
    await _until(lambda: guard.engine.under_way == _AT_ONCE)
    waiting = asyncio.create_task(guard.ask("POST", "/v1.45/networks/create", sessions[-1].network()))
    deadlines, making = guard.door._gate._deadlines, guard.door._gate._making
    await _until(lambda: bool(making._lines))
    if event == "passed":
        monkeypatch.setattr(deadlines, "now", lambda: datetime.now(UTC) + timedelta(hours=1))
    else:
        deadlines.observe(sessions[-1].session_id, in_seconds(60))
    guard.engine.released.set()
    await asyncio.gather(*calls)
    assert (await waiting).status == 403
    assert "deadline" in {line["rule"] for line in guard.decisions}, guard.decisions
    assert len(guard.engine.networks) == _AT_ONCE


async def test_default_follows_the_number_of_processors(monkeypatch):
    async def under_way(processors: int) -> int:
        monkeypatch.setattr(engine_work.os, "cpu_count", lambda: processors)
        log: list[str] = []
        work = EngineWork(Policy(), 60)
        calls = [asyncio.create_task(_call(work, "a", 60, log)) for _ in range(100)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return len(log)

    assert [await under_way(1), await under_way(2), await under_way(16)] == [8, 8, 64]


@pytest.mark.parametrize("when", ["before it came", "while it waited", "as it was admitted"])
async def test_call_of_a_client_that_left_is_not_made_and_costs_no_place(when: str):
    log: list[str] = []
    left = Leaving()
    work = EngineWork(Policy(calls_at_once=1), 60)
    if when == "before it came":
        left.notice()
        with pytest.raises(Refusal, match="the client left"):
            await _call(work, "a", 0, log, left)
    else:
        async with work.place():
            waiting = asyncio.create_task(_call(work, "a", 0, log, left))
            await asyncio.sleep(0)
            if when == "while it waited":
                left.notice()
                with pytest.raises(Refusal, match="the client left"):
                    await waiting
        if when == "as it was admitted":
            left.notice()
            with pytest.raises(Refusal, match="the client left"):
                await waiting
    assert not log
    assert work._held == work._under_way == 0


async def _leaving(guard: Guard, method: str, path: str, body: Any = None) -> asyncio.StreamWriter:
    """Send a request; its client leaves when what is returned is closed."""
    _, writer = await asyncio.open_unix_connection(str(guard.socket))
    sent = b"" if body is None else json.dumps(body).encode()
    head = f"{method} /v1.45{path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
    return writer


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def _creations_and_one_too_many(guard: Guard) -> tuple[list[asyncio.Task[Any]], asyncio.StreamWriter]:
    """Take every place by a creation; return these, and the client of a further one called dryrun-late."""
    words = Words()
    await guard.make_session(words)
    guard.engine.released.clear()
    body = words.container(NetworkingConfig=None)
    calls = [asyncio.create_task(guard.create(body)) for _ in range(_AT_ONCE)]
    await _until(lambda: guard.engine.under_way == _AT_ONCE)
    return calls, await _leaving(guard, "POST", "/containers/create?name=dryrun-late", body)


async def test_creation_that_waits_is_not_made_once_its_client_has_left(guard: Guard):
    calls, leaving = await _creations_and_one_too_many(guard)
    await _until(lambda: bool(guard.door._gate._making._lines))
    leaving.close()
    # At once, not when there is a place: what it holds is free for its client's next try.
    await _until(lambda: guard.decisions[-1]["rule"] == "left")
    assert guard.engine.under_way == _AT_ONCE
    assert guard.decisions[-1]["verdict"] == "failed"  # nobody broke a rule
    assert not any(name == "dryrun-late" for name, *_ in guard.door._gate._places._containers.now())
    guard.engine.released.set()
    assert {reply.status for reply in await asyncio.gather(*calls)} == {201}
    assert len(guard.engine.containers) == _AT_ONCE


async def test_creation_is_not_made_for_who_left_behind_more_than_is_read_ahead(guard: Guard):
    calls, leaving = await _creations_and_one_too_many(guard)
    leaving.write(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n" * 3000)
    await _until(lambda: bool(guard.door._gate._making._lines))
    leaving.close()
    guard.engine.released.set()
    assert {reply.status for reply in await asyncio.gather(*calls)} == {201}
    await _until(lambda: "left" in {line["rule"] for line in guard.decisions})
    assert len(guard.engine.containers) == _AT_ONCE


async def test_creation_that_the_engine_has_is_followed_to_its_end_without_its_client(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.create_seconds = 0.3
    leaving = await _leaving(guard, "POST", "/containers/create", words.container(NetworkingConfig=None))
    await _until(lambda: guard.engine.under_way == 1)
    leaving.close()
    await _until(lambda: guard.decisions[-1]["route"] == "container create")
    assert (guard.decisions[-1]["verdict"], guard.decisions[-1]["objects"]) == (
        "allowed",
        [*guard.engine.containers],
    )


async def test_removal_that_waits_is_made_though_its_client_has_left(guard: Guard):
    words = Words()
    await guard.make_session(words)
    made = [await guard.make_container(words.container(NetworkingConfig=None)) for _ in range(_AT_ONCE + 1)]
    guard.engine.released.clear()
    paths = [f"/containers/{each}" for each in made]
    removals = [asyncio.create_task(guard.ask("DELETE", f"/v1.45{path}")) for path in paths[:-1]]
    await _until(lambda: guard.engine.under_way == _AT_ONCE)
    leaving = await _leaving(guard, "DELETE", paths[-1])
    await _until(lambda: bool(guard.door._gate._ending._lines))
    leaving.close()
    guard.engine.released.set()
    await asyncio.gather(*removals)
    await _until(lambda: not guard.engine.containers)
