import asyncio
import contextlib
from uuid import UUID

import httpx2
import pytest
import recorded_session
from fake_approval_api import TOKEN

from dryrun_cli.api import event_stream
from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.event_stream import ConnectionLost, EndedWithoutEvent, Received, follow_events
from dryrun_cli.api.settings import Settings
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError


@pytest.fixture
def ended(api):
    session = api.add_session()
    api.record_all(session, recorded_session.small())
    return session


@contextlib.asynccontextmanager
async def client_of(api, silence_seconds=45.0):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=api.url, headers=headers) as http:
        yield ApiClient(http, silence_seconds=silence_seconds)


async def collect(api, session, **more):
    async with client_of(api, more.pop("silence_seconds", 45.0)) as client:
        return [item async for item in follow_events(client, UUID(session["id"]), **more)]


def sequence(items):
    return [item.raw["seq"] for item in items if isinstance(item, Received)]


def stored(api, session):
    return [event["seq"] for event in api.events[session["id"]]]


async def test_every_event_comes_once_and_in_order(api, ended):
    assert sequence(await collect(api, ended)) == stored(api, ended)


@pytest.mark.parametrize("repeat_last", [False, True])
async def test_broken_connections_miss_and_repeat_nothing(api, ended, repeat_last):
    api.repeat_last = repeat_last
    api.break_after = [3, 1, 0, 7, 2]
    if repeat_last:
        api.break_after = [3, 2, 1, 8, 3]
    items = await collect(api, ended)
    assert sequence(items) == stored(api, ended)
    assert api.last_event_ids[:3] == ["", "3", "4"]
    assert len([item for item in items if isinstance(item, ConnectionLost)]) == 5


async def test_a_silent_connection_is_replaced(api, ended):
    api.silent_connections = 1
    items = await collect(api, ended, silence_seconds=0.3)
    assert sequence(items) == stored(api, ended)
    (lost,) = [item for item in items if isinstance(item, ConnectionLost)]
    assert "no answer in time" in lost.reason


async def test_a_failing_api_is_tried_again(api, ended):
    api.statuses = [(503, "starting"), (502, "starting")]
    assert sequence(await collect(api, ended)) == stored(api, ended)


async def test_a_refusal_is_final(api, ended):
    api.statuses = [(403, "not yours")]
    with pytest.raises(ApiRefusedError, match="not yours"):
        await collect(api, ended)


async def test_too_many_streams_are_waited_for_once_one_has_broken(api, ended):
    api.break_after = [3]
    async with client_of(api) as client:
        items, lost = [], []
        async for item in follow_events(client, UUID(ended["id"])):
            items.append(item)
            if isinstance(item, ConnectionLost):
                lost.append(item.reason)
                api.statuses = [(429, "close one")] if len(lost) == 1 else []
    assert sequence(items) == stored(api, ended)
    assert ["close one" in reason for reason in lost] == [False, True]


async def test_too_many_streams_are_a_refusal_before_one_was_open(api, ended):
    api.statuses = [(429, "close one")]
    with pytest.raises(ApiRefusedError, match="close one"):
        await collect(api, ended)


async def test_following_ends_when_the_api_stays_away(api, ended):
    api.statuses = [(503, "down")] * 100
    with pytest.raises(ApiUnreachableError, match=r"gave up .* down\. The session .* ends by itself"):
        await collect(api, ended, patience_seconds=0.3)


async def test_streams_that_break_without_an_event_are_no_unreachable_api(api, ended):
    api.break_after = [0, 0, 0, 0]
    items = await collect(api, ended, patience_seconds=0.3)
    assert sequence(items) == stored(api, ended)
    pauses = [item.pause_seconds for item in items if isinstance(item, ConnectionLost)]
    # Retry is 0.05 s, doubled each time, less up to three tenths.
    assert pauses[0] <= 0.05
    assert pauses[3] >= 0.28


async def test_events_that_are_not_json_are_requested_again_ten_times(api, ended, monkeypatch):
    monkeypatch.setattr(event_stream, "LONGEST_PAUSE_SECONDS", 0.05)
    api.garbled_connections = 9
    assert sequence(await collect(api, ended)) == stored(api, ended)
    api.garbled_connections = 100
    with pytest.raises(
        ApiUnreachableError, match=r"not JSON .*, 10 times in a row\. Check that nothing between"
    ):
        await asyncio.wait_for(collect(api, ended), 20)
    assert api.garbled_connections == 90


async def test_an_end_without_an_event_is_still_an_end(api):
    session = api.add_session(outcome="failed", reason="the orchestrator did not take it")
    items = await collect(api, session)
    assert isinstance(items[-1], EndedWithoutEvent)
    assert items[-1].session.reason == "the orchestrator did not take it"


async def test_an_event_of_an_unknown_type_is_passed_on(api):
    session = api.add_session()
    api.record(session, {"type": "moon_phase_changed", "phase": "full"})
    items = await collect(api, session)
    (received,) = [item for item in items if isinstance(item, Received)]
    assert received.event is None
    assert received.raw["data"]["type"] == "moon_phase_changed"


async def test_fields_of_a_newer_version_are_ignored(api):
    session = api.add_session()
    api.record(session, {"type": "session_ended", "outcome": "completed", "reason": None, "mood": "good"})
    received = [item for item in await collect(api, session) if isinstance(item, Received)]
    assert received[0].event.data.outcome == "completed"


async def test_the_local_machine_is_never_reached_through_a_proxy(api, ended, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with open_client(Settings(api_url=api.url, api_token=TOKEN)) as client:
        assert (await client.session(UUID(ended["id"])))["id"] == ended["id"]
