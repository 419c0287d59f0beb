"""One request at a time, within limits; slow clients and crowds keep nobody else waiting."""

import asyncio
import gc
import json
import socket
import time
from types import TracebackType

import pytest
from guard_stage import Guard, Words, read_reply
from pydantic import BaseModel

from docker_guard.clients import front_door
from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
LAST_PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"


@pytest.fixture
def policy() -> Policy:
    return Policy(
        head_seconds=0.3,
        body_seconds=0.3,
        idle_seconds=0.5,
        stalled_seconds=0.5,
        behind_seconds=0.5,
        connections=16,
        streams=8,
        held_bytes=2**20,
    )


def posting(length: int, body: bytes) -> bytes:
    head = "POST /v1.45/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode() + body


async def test_several_requests_share_a_connection(guard: Guard):
    answer = await guard.send(PING + PING + LAST_PING)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_a_head_request_is_answered_without_a_body(guard: Guard):
    answer = await guard.send(b"HEAD /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 2" in answer


async def test_what_follows_a_malformed_head_is_not_read_as_a_request(guard: Guard):
    answer = await guard.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n" + PING)
    assert answer.count(b"HTTP/1.1") == 1
    assert read_reply(answer).status == 400


async def test_a_body_that_is_not_read_is_not_the_next_request(guard: Guard):
    answer = await guard.send(b"GET /info HTTP/1.1\r\nHost: d\r\nContent-Length: 33\r\n\r\n" + PING)
    assert answer.count(b"HTTP/1.1") == 1
    assert read_reply(answer).status == 403


async def test_a_refusal_keeps_a_well_framed_connection_open(guard: Guard):
    answer = await guard.send(b"GET /info HTTP/1.1\r\nHost: d\r\n\r\n" + LAST_PING)
    assert (answer.count(b"HTTP/1.1 403"), answer.count(b"HTTP/1.1 200")) == (1, 1)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (posting(3 * 2**20, b""), 413),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n", 413),
        (b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"x" * 20_000, 431),
        (posting(2, b"{}").replace(b"application/json", b"text/plain"), 400),
    ],
    ids=["a body too long", "a body where none belongs", "a head too long", "a body of another type"],
)
async def test_refuses_what_is_too_much(guard: Guard, raw, status):
    assert read_reply(await guard.send(raw)).status == status


@pytest.mark.parametrize("raw", [PING[:10], posting(100, b"{")], ids=["a head", "a body"])
async def test_a_request_that_is_too_slow_is_answered_408(guard: Guard, raw):
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(raw)
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 3)
    writer.close()


async def test_an_idle_connection_is_closed(guard: Guard):
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


async def test_connections_of_one_client_are_bounded_and_freed_again(guard: Guard):
    writers = [(await asyncio.open_unix_connection(str(guard.socket)))[1] for _ in range(8)]
    await asyncio.sleep(0.05)
    assert (await guard.ask("GET", "/_ping")).status == 503
    for writer in writers:
        writer.close()
    await asyncio.sleep(0.05)
    assert (await guard.ask("GET", "/_ping")).status == 200


async def test_a_client_that_leaves_a_stream_frees_the_engine(guard: Guard):
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(b"GET /v1.45/events HTTP/1.1\r\nHost: d\r\n\r\n")
    assert b"200" in await asyncio.wait_for(reader.readline(), 3)
    writer.close()
    await asyncio.sleep(0.1)
    replies = [await guard.ask("GET", "/_ping") for _ in range(9)]
    assert {reply.status for reply in replies} == {200}


async def test_a_stream_ends_for_who_left_behind_more_than_is_read_ahead(guard: Guard):
    """Nothing has to be written to it, which is how the end of a connection shows otherwise."""
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(b"GET /v1.45/events HTTP/1.1\r\nHost: d\r\n\r\n" * 2000)
    assert b"200" in await asyncio.wait_for(reader.readline(), 3)
    writer.close()
    async with asyncio.timeout(5):
        while guard.door.crowd.size or guard.door.crowd._streams.total:
            await asyncio.sleep(0.05)


async def test_a_broken_stream_has_no_final_chunk(guard: Guard):
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(b"GET /v1.45/events HTTP/1.1\r\nHost: d\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
    guard.engine.events.put_nowait({"Type": "container", "Actor": None})
    rest = b""
    try:
        rest = await asyncio.wait_for(reader.read(), 3)
    except ConnectionError:
        rest += b""
    assert not rest.endswith(b"0\r\n\r\n")
    assert "stream-broken" in {line["type"] for line in guard.lines}
    writer.close()


async def test_no_line_of_evidence_holds_a_value_of_the_environment(guard: Guard):
    words = Words()
    await guard.make_session(words)
    for entries in (["GREETING=hush-1"], ["OTHER=hush-2"], ["GREETING=hush-3", "GREETING=hush-4"]):
        await guard.create(words.container(Env=entries))
    await guard.create({**words.container(Env=["GREETING=hush-5"]), "Cmd": ["hush-6"], "hush": {"hush": 1}})
    assert "hush-" not in json.dumps(guard.lines)


async def test_every_decision_leaves_a_line_with_its_rule(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    await guard.create(words.with_host(Privileged=True))
    await guard.send(b"nonsense\r\n\r\n")
    attempt, made, refused, malformed = guard.lines
    assert (attempt["type"], attempt["route"]) == ("attempt", "network create")
    assert (made["verdict"], made["route"], made["objects"]) == ("allowed", "network create", [network])
    assert (refused["verdict"], refused["rule"], refused["status"]) == ("refused", "body", 403)
    assert (malformed["verdict"], malformed["rule"], malformed["status"]) == ("refused", "framing", 400)
    assert all(line["peer"].startswith("uid=") and line["ms"] >= 0 for line in guard.decisions)


async def test_an_internal_fault_fails_closed_and_shows_no_values(guard: Guard):
    guard.engine.add_network({labels.SESSION_ID: Words().session_id}, Id=5)
    reply = await guard.ask("GET", "/v1.45/networks/x")
    assert reply.status in (404, 500)
    words = Words()
    guard.engine.networks.clear()
    await guard.make_session(words)
    next(iter(guard.engine.networks.values()))["IPAM"] = {"Config": [{"Subnet": "hush"}]}
    reply = await guard.create(words.container())
    assert (reply.status, "hush" in json.dumps(guard.lines)) == (500, False)
    assert guard.lines[-1]["verdict"] == "failed"


def asking(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode()


async def own_container(guard: Guard) -> str:
    own = {labels.SESSION_ID: Words().session_id}
    return guard.engine.add_container(own, "own", Config={"Labels": own})


async def test_followers_leave_room_for_other_requests_of_their_client(guard: Guard):
    await own_container(guard)
    writers, statuses = [], []
    for _ in range(6):
        reader, writer = await asyncio.open_unix_connection(str(guard.socket))
        writers.append(writer)
        writer.write(asking("/v1.45/events"))
        statuses.append((await asyncio.wait_for(reader.readline(), 3)).split()[1])
    assert statuses == [b"200"] * 4 + [b"503"] * 2
    assert {(await guard.ask("GET", "/_ping")).status for _ in range(3)} == {200}
    for writer in writers:
        writer.close()
    async with asyncio.timeout(5):
        while (await guard.ask("GET", "/v1.45/containers/own/logs?stdout=1")).status != 200:
            await asyncio.sleep(0.02)


async def test_answers_that_nobody_reads_are_bounded_and_given_up(guard: Guard):
    identity = await own_container(guard)
    guard.engine.padding = "x" * 300_000
    path = f"/v1.45/containers/{identity}/json"
    assert (await guard.ask("GET", path)).status == 200
    connections = [await asyncio.open_unix_connection(str(guard.socket), limit=1024) for _ in range(4)]
    for _, writer in connections:
        writer.write(asking(path) * 8)
    # Half a mebibyte is one client's: one answer of 300 kB.
    async with asyncio.timeout(5):
        while not any(line["rule"] == "crowd" for line in guard.decisions):
            await asyncio.sleep(0.02)
        assert (await guard.ask("GET", "/_ping")).status == 200
        while (await guard.ask("GET", path)).status != 200:  # stalled_seconds later
            await asyncio.sleep(0.05)
    for _, writer in connections:
        writer.close()


async def test_an_answer_larger_than_a_clients_share_is_refused_while_it_arrives(guard: Guard):
    identity = await own_container(guard)
    guard.engine.padding = "x" * 2_000_000
    reply = await guard.ask("GET", f"/v1.45/containers/{identity}/json")
    assert (reply.status, guard.decisions[-1]["rule"]) == (503, "crowd")
    guard.engine.padding = ""
    assert (await guard.ask("GET", f"/v1.45/containers/{identity}/json")).status == 200


async def test_pipelined_requests_keep_nobody_else_waiting(guard: Guard):
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(b"HEAD /x HTTP/1.1\r\nHost:\r\n\r\n" * 2000)
    await reader.readexactly(1)
    begun = len(guard.decisions)
    assert (await guard.ask("GET", "/_ping")).status == 200
    assert len(guard.decisions) - begun < 200
    writer.close()


async def test_bodies_of_many_connections_are_judged_one_per_turn(guard: Guard, monkeypatch):
    turns = 0
    judged_at: list[int] = []
    judge = front_door.judge_request

    def counted(*args, **kwargs):
        if args[3]:
            judged_at.append(turns)
        return judge(*args, **kwargs)

    monkeypatch.setattr(front_door, "judge_request", counted)
    raw = posting(2, b"{}")
    connections = [await asyncio.open_unix_connection(str(guard.socket)) for _ in range(6)]
    for _, writer in connections:
        writer.write(raw)
    async with asyncio.timeout(5):
        while len(judged_at) < 6:
            turns += 1
            await asyncio.sleep(0)
    assert len(set(judged_at)) == 6
    for _, writer in connections:
        writer.close()


@pytest.mark.parametrize(
    "raw",
    [
        posting(200_012, b'{"a": "' + b"x" * 200_003 + b'"}'),
        posting(9, b"{} no end"),
        b"POST /v1.45/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 9999999\r\n\r\n",
        b"GET /info HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /v1.45/containers/none/json HTTP/1.1\r\nHost: d\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["a long body", "no JSON", "too long", "no route", "absent", "malformed"],
)
async def test_a_refusal_is_freed_without_the_garbage_collector(guard: Guard, raw):
    await guard.send(raw)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await guard.send(raw)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kept = [found for found in gc.garbage if isinstance(found, Refusal | BaseModel | TracebackType)]
        assert kept == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_what_was_created_is_recorded_even_without_room_for_its_answer(guard: Guard):
    words = Words()
    await guard.make_session(words)
    body = json.dumps(words.container()).encode()
    guard.engine.create_seconds = 0.2
    creating = asyncio.create_task(guard.create(words.container()))
    while not guard.engine.bodies("/containers/create"):
        await asyncio.sleep(0.01)
    filling = await asyncio.open_unix_connection(str(guard.socket))
    filling[1].write(posting(2**20, b" " * (2**19 - len(body))))
    reply = await creating
    (made,) = guard.engine.containers
    decision = guard.decisions[-1]
    assert (reply.status, decision["verdict"], decision["objects"]) == (201, "allowed", [made])
    filling[1].close()


async def test_readers_of_one_log_are_bounded_and_make_room_when_they_go(guard: Guard):
    identity = await own_container(guard)
    guard.engine.log_lasts = True
    path = f"/v1.45/containers/{identity}/logs?stdout=1&follow=1"
    writers, statuses = [], []
    for _ in range(4):
        reader, writer = await asyncio.open_unix_connection(str(guard.socket))
        writers.append(writer)
        writer.write(asking(path))
        statuses.append((await asyncio.wait_for(reader.readline(), 3)).split()[1])
    assert statuses == [b"200"] * 3 + [b"503"]
    assert (guard.decisions[-1]["rule"], "readers of one log" in guard.decisions[-1]["reason"]) == (
        "crowd",
        True,
    )
    writers[0].close()
    await asyncio.sleep(0.1)
    reader, writer = await asyncio.open_unix_connection(str(guard.socket))
    writer.write(asking(path))
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 3)
    for each in (*writers, writer):
        each.close()


@pytest.mark.parametrize("is_slow", [True, False])
async def test_a_slow_reader_is_cut_off_and_a_fast_one_is_not(guard: Guard, is_slow):
    identity = await own_container(guard)
    guard.door._policy = guard.door._policy.model_copy(update={"stalled_seconds": 60})
    guard.engine.log_lasts = True
    guard.engine.log = b"x" * 65536  # every 10 ms at most
    loop, end = asyncio.get_running_loop(), time.monotonic() + 5
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, str(guard.socket))
        await loop.sock_sendall(connection, asking(f"/v1.45/containers/{identity}/logs?stdout=1&follow=1"))
        while not guard.log.lines("stream-broken") and time.monotonic() < end:
            # 200 kB a second: never without a byte for long.
            assert await loop.sock_recv(connection, 4096 if is_slow else 2**20)
            await asyncio.sleep(0.02 if is_slow else 0)
    assert bool(guard.log.lines("stream-broken")) is is_slow


async def test_a_decision_is_recorded_with_the_trace_that_it_belongs_to(guard: Guard):
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    for value in (f"00-{trace}-{span}-01", "anything else"):
        await guard.send(f"GET /_ping HTTP/1.1\r\nHost: d\r\ntraceparent: {value}\r\n\r\n".encode())
    told, untold = guard.decisions
    assert (told["trace_id"], told["span_id"]) == (trace, span)
    assert "trace_id" not in untold
    assert "anything" not in str(guard.lines)
