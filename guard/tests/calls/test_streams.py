"""Answers that last, and how few of them the engine has to work for at a time."""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest
from guard_stage import Guard, Words

from docker_guard.calls import streams
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy

_AT_ONCE = 3


@pytest.fixture
def policy() -> Policy:
    return Policy(calls_at_once=_AT_ONCE, engine_seconds=5)


def _own_containers(guard: Guard, number: int) -> list[str]:
    session = {labels.SESSION_ID: Words().session_id}
    return [guard.engine.add_container(session, f"own-{each}") for each in range(number)]


async def _open(guard: Guard, exits: AsyncExitStack, path: str) -> asyncio.StreamReader:
    """Ask for an answer that lasts; it ends with the block."""
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    exits.callback(writer.close)
    writer.write(f"GET /v1.45{path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    return reader


async def _statuses(guard: Guard, exits: AsyncExitStack, paths: list[str]) -> list[bytes]:
    readers = [await _open(guard, exits, path) for path in paths]
    async with asyncio.timeout(4):
        return [(await reader.readline())[9:12] for reader in readers]


@pytest.mark.parametrize(
    ("asked", "at_once"),
    [
        ("stdout=1&stderr=1&since=9999999999&follow=0", 1),
        ("stdout=1&stderr=1&since=9999999999&follow=1", 1),
        ("stderr=1&follow=0", 1),
        ("stderr=1&follow=1", 1),
        ("stdout=1&stderr=1&follow=0", 1),
        ("stdout=1&stderr=1&follow=1", _AT_ONCE),
    ],
)
async def test_few_logs_are_searched_at_a_time_however_little_of_them_is_asked_for(
    guard: Guard, asked: str, at_once: int
):
    guard.engine.log_seconds = 0.1
    made = _own_containers(guard, 4 * _AT_ONCE)
    async with AsyncExitStack() as exits:
        statuses = await _statuses(guard, exits, [f"/containers/{each}/logs?{asked}" for each in made])
    assert statuses == [b"200"] * len(made)
    assert guard.engine.most_under_way == at_once


@pytest.mark.parametrize("log", [b"\x01\0\0\0\0\0\0\x03hi\n", b""], ids=["with lines", "without"])
async def test_who_follows_a_log_keeps_nobody_from_another(guard: Guard, monkeypatch, log: bytes):
    monkeypatch.setattr(streams, "_FIRST_PIECE_SECONDS", 0.1)
    guard.engine.log, guard.engine.log_lasts = log, True
    made = _own_containers(guard, 4 * _AT_ONCE)
    async with AsyncExitStack() as exits:
        paths = [f"/containers/{each}/logs?stdout=1&stderr=1&follow=1" for each in made]
        assert await _statuses(guard, exits, paths) == [b"200"] * len(made)


async def test_a_client_has_few_readers_of_events(guard: Guard):
    async with AsyncExitStack() as exits:
        statuses = await _statuses(guard, exits, ["/events"] * (streams._MOST_EVENT_READERS + 2))
    assert statuses == [b"200"] * streams._MOST_EVENT_READERS + [b"503"] * 2
    assert {line["rule"] for line in guard.decisions if line["status"] == 503} == {"crowd"}
    async with asyncio.timeout(5):
        while guard.door.crowd._streams.total:
            await asyncio.sleep(0.02)
    async with AsyncExitStack() as exits:
        assert await _statuses(guard, exits, ["/events"]) == [b"200"]


async def test_who_holds_all_its_bytes_loses_no_place_for_reading_logs(guard: Guard, policy: Policy):
    guard.engine.log_seconds = 0.5
    [made] = _own_containers(guard, 1)
    path = f"/containers/{made}/logs?stdout=1&follow=0"
    async with AsyncExitStack() as exits:
        readers = [await _open(guard, exits, path) for _ in range(2)]
        await asyncio.sleep(0.2)
        guard.door.crowd._bytes.charge(f"uid {os.geteuid()}", policy.held_bytes)
        async with asyncio.timeout(4):
            assert [(await reader.readline())[9:12] for reader in readers] == [b"200"] * 2
