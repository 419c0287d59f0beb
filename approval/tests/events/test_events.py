import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2
import pytest
from followed import reported

from approval_api.app import begin_stop
from approval_api.events import repository
from dryrun_contract.event import CollectorWarned, Event, PhaseChanged, SessionEnded
from dryrun_contract.session import Outcome, Phase

STREAM = {"Accept": "text/event-stream"}


@asynccontextmanager
async def frames_of(api, session_id, **headers):
    """Give an iterator over the stream's frames, each a dict of its fields; comments are under "comment"."""

    async def frames(response):
        fields = {}
        async for line in response.aiter_lines():
            if not line:
                yield fields
                fields = {}
                continue
            name, _, value = line.partition(":")
            fields[name or "comment"] = value.removeprefix(" ")

    path = f"/api/v1/dryrun/sessions/{session_id}/events"
    async with asyncio.timeout(15):
        async with api.client.stream("GET", path, headers={**STREAM, **headers}) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            yield frames(response)


async def events_in(frames):
    return [Event.model_validate_json(frame["data"]) async for frame in frames if "data" in frame]


async def test_a_page_of_events_and_where_the_next_begins(api, orchestrator, eventually):
    session_id = await api.start()
    for _ in range(4):
        orchestrator.tell(UUID(session_id), PhaseChanged(phase=Phase.SCANNING))

    async def all_stored():
        return len((await api.get(f"/sessions/{session_id}/events")).json()["events"]) == 5

    await eventually(all_stored)
    first = (await api.get(f"/sessions/{session_id}/events", params={"limit": 2})).json()
    assert [event["seq"] for event in first["events"]] == [1, 2]
    assert (first["next"], first["ended"]) == (2, False)
    rest = (await api.get(f"/sessions/{session_id}/events", params={"after": 2, "limit": 3})).json()
    assert [event["seq"] for event in rest["events"]] == [3, 4, 5]
    assert rest["next"] is None
    assert [Event.model_validate(event) for event in first["events"] + rest["events"]] == orchestrator.log


@pytest.mark.parametrize("size", [300, 100_000], ids=["plain", "compressed"])
async def test_a_page_ends_before_its_events_are_too_large_and_one_alone_is_a_page(
    api, orchestrator, eventually, monkeypatch, size
):
    monkeypatch.setattr(repository, "PAGE_BYTES", 3 * size)
    session_id = await api.start()
    for line in range(1, 8):
        reported(orchestrator, UUID(session_id), line, banner="x" * (size * 5 if line == 6 else size))

    async def all_stored():
        shown = await api.get(f"/sessions/{session_id}/events", params={"after": 7})
        return shown.json()["events"]

    await eventually(all_stored)
    after, pages = 1, []
    while after is not None:
        page = (await api.get(f"/sessions/{session_id}/events", params={"after": after})).json()
        pages.append([event["seq"] for event in page["events"]])
        after = page["next"]
    assert [number for page in pages for number in page] == list(range(2, 9))
    assert max(map(len, pages)) < 3
    assert [7] in pages


async def test_a_stream_sends_every_event_as_it_arrives_and_ends_by_itself(api, orchestrator):
    session_id = await api.start()
    session = UUID(session_id)
    received = []
    async with frames_of(api, session_id) as frames:
        async for frame in frames:
            if "data" not in frame:
                continue
            event = Event.model_validate_json(frame["data"])
            assert frame["id"] == str(event.seq)
            received.append(event)
            if len(received) < 4:
                orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
            elif len(received) == 4:
                orchestrator.tell(session, SessionEnded(outcome=Outcome.COMPLETED))
    assert received == orchestrator.log
    assert received[-1].data.type == "session_ended"


async def test_a_stream_continues_after_the_last_event_id(api, orchestrator):
    session_id = await api.start()
    orchestrator.tell(UUID(session_id), PhaseChanged(phase=Phase.SCANNING))
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))
    async with frames_of(api, session_id, **{"Last-Event-ID": "2"}) as frames:
        assert [event.seq for event in await events_in(frames)] == [3]


async def test_a_stream_of_an_ended_session_sends_all_events_and_ends(api, orchestrator, eventually):
    session_id = await api.start()
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))

    async def ended():
        return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "ended"

    await eventually(ended)
    async with frames_of(api, session_id) as frames:
        assert [event.seq for event in await events_in(frames)] == [1, 2]
    async with frames_of(api, session_id, **{"Last-Event-ID": "2"}) as frames:
        assert await events_in(frames) == []


async def test_a_quiet_stream_has_heartbeats(api):
    session_id = await api.start()
    async with frames_of(api, session_id) as frames:
        async for frame in frames:
            if frame.get("comment") == "still here":
                return
    pytest.fail("no heartbeat came")


async def test_streams_end_at_shutdown_within_a_second(api):
    session_id = await api.start()
    async with frames_of(api, session_id) as frames:
        async for frame in frames:
            if "data" in frame:
                break
        begin_stop(api.app)
        async with asyncio.timeout(1):
            assert await events_in(frames) == []


@pytest.mark.whole_pool
async def test_many_streams_send_the_same(api, orchestrator):
    session_id = await api.start()

    async def follow():
        async with frames_of(api, session_id) as frames:
            return await events_in(frames)

    streams = [asyncio.create_task(follow()) for _ in range(20)]
    for number in range(1, 300):
        orchestrator.tell(
            UUID(session_id), CollectorWarned(collector="network", run="1", line=number, message="x")
        )
        await asyncio.sleep(0)
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))
    for received in await asyncio.gather(*streams):
        assert received == orchestrator.log


@pytest.mark.whole_pool
async def test_a_stream_survives_a_database_restart(api, orchestrator, postgres):
    session_id = await api.start()
    session = UUID(session_id)
    numbers = []
    async with frames_of(api, session_id) as frames:
        async for frame in frames:
            if "data" not in frame:
                continue
            numbers.append(json.loads(frame["data"])["seq"])
            if numbers[-1] == 1:
                await asyncio.to_thread(postgres.stop)
                orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
                await asyncio.to_thread(postgres.start)
            if numbers[-1] == 2:
                orchestrator.tell(session, SessionEnded(outcome=Outcome.COMPLETED))
    assert numbers == [1, 2, 3]


async def test_text_of_a_target_cannot_forge_a_frame(api, orchestrator):
    session_id = await api.start()
    hostile = "x\n\nid: 99\ndata: {}\r\n\r\u2028\u2029\x85"
    orchestrator.tell(
        UUID(session_id), CollectorWarned(collector="network", run="1", line=1, message=hostile)
    )
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))
    async with api.client.stream(
        "GET", f"/api/v1/dryrun/sessions/{session_id}/events", headers=STREAM
    ) as response:
        body = (await response.aread()).decode()
    frames = [frame for frame in body.split("\n\n") if "data: " in frame]
    assert [frame.split("\n")[0] for frame in frames] == ["id: 1", "id: 2", "id: 3"]
    assert json.loads(frames[1].split("data: ", 1)[1])["data"]["message"] == hostile


@pytest.mark.whole_pool
async def test_an_open_stream_holds_no_database_connection(api):
    session_id = await api.start()

    async def open_for_ever():
        async with frames_of(api, session_id) as frames:
            async for _ in frames:
                pass

    streams = [asyncio.create_task(open_for_ever()) for _ in range(30)]
    await asyncio.sleep(0.3)
    answers = await asyncio.gather(*(api.get(f"/sessions/{session_id}") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def test_an_unknown_session_has_no_stream(api):
    answer = await api.get(f"/sessions/{uuid4()}/events", headers=STREAM)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:dryrun:problem:unknown-session"


async def test_a_strange_last_event_id_is_a_fault(api):
    session_id = await api.start()
    for last in ("abc", "-1", "1" * 40, "²"):
        headers = httpx2.Headers({**STREAM, "Last-Event-ID": last}, encoding="utf-8")
        answer = await api.get(f"/sessions/{session_id}/events", headers=headers)
        assert answer.status_code == 422
        assert answer.json()["faults"][0]["where"] == "header.Last-Event-ID"


def test_an_event_that_another_version_stored_is_one_that_was_refused_in_words_of_people():
    given = {
        "journal": uuid4(),
        "seq": 1,
        "session_id": uuid4(),
        "at": datetime.now(UTC),
        "type": "session_ended",
    }
    read = repository._event({**given, "data": {"type": "session_ended", "outcome": "splendid"}}).data
    assert (read.type, read.claimed_type) == ("event_refused", "session_ended")
    assert read.reason.startswith("must be 'completed', 'failed', ")
