"""The live page's stream: one rendering for all who look on, and nothing missed by who comes back."""

import asyncio
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from scripted_session import ScriptedSession

from approval_api.pages.shown_session import ShownSession
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import DiscoveryReported, Event

LIVE = "/dryrun/sessions/{}/live"


@pytest.fixture
async def scripted(api, orchestrator):
    return ScriptedSession(orchestrator, UUID(await api.start()))


class Reader:
    """One who looks on: what came, as an EventSource would have it."""

    def __init__(self, api, session_id):
        self._client = api.client
        self._path = LIVE.format(session_id)
        self.last_id = None
        self.html = ""
        self.closed = False

    async def read(self, until=None):
        """Read until `until` came, or to the stream's end; then hang up."""
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        async with (
            asyncio.timeout(20),
            self._client.stream("GET", self._path, headers=headers) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "data":
                    self.html += value + "\n"
                    if until is not None and until in value:
                        return self
        self.closed = True
        return self

    def arrivals(self):
        """Numbers of discoveries, in the order in which each message listed them."""
        return [int(number) for number in re.findall(r'<li id="d-(\d+)"', self.html)]


def reported(orchestrator):
    return {event.seq for event in orchestrator.log if event.data.type == "discovery_reported"}


async def test_a_stream_sends_every_event_and_ends_with_the_session(api, scripted, orchestrator):
    reading = asyncio.create_task(Reader(api, scripted.id).read())
    scripted.whole()
    reader = await reading
    assert reader.closed
    assert set(reader.arrivals()) == reported(orchestrator)
    assert len(reader.arrivals()) == len(reported(orchestrator))
    assert 'data-phase="ended"' in reader.html


async def test_a_returning_reader_gets_the_missed_events_and_none_twice(api, scripted, orchestrator):
    scripted.build()
    scripted.scan()
    reader = await Reader(api, scripted.id).read(until='<li id="d-')
    before = set(reader.arrivals())
    assert before
    scripted.read_databases()
    scripted.end_collector("network")
    scripted.clean_up()
    await reader.read()
    assert len(reader.arrivals()) == len(set(reader.arrivals()))
    assert set(reader.arrivals()) == reported(orchestrator)


@pytest.mark.whole_pool
async def test_many_viewers_share_one_rendering(api, scripted, monkeypatch):
    sessions = api.app.state.live_sessions
    rendered = []
    render = sessions._render_arrival

    def counting(arrival):
        rendered.append(arrival.seq)
        return render(arrival)

    monkeypatch.setattr(sessions, "_render_arrival", counting)
    readings = [asyncio.create_task(Reader(api, scripted.id).read()) for _ in range(20)]
    async with asyncio.timeout(20):
        while not sessions._watched or sessions._watched[scripted.id].readers < 20:
            await asyncio.sleep(0.01)
    scripted.whole()
    readers = await asyncio.gather(*readings)
    assert len({reader.html[-500:] for reader in readers}) == 1
    assert len(rendered) == len(set(rendered)) == len(readers[0].arrivals())
    async with asyncio.timeout(20):
        while sessions._watched:
            await asyncio.sleep(0.01)


async def test_an_unknown_session_has_no_stream(api):
    answer = await api.client.get(LIVE.format("7c9e6679-7425-40de-944b-e07fc1f90ae7"))
    assert answer.status_code == 404


async def test_hostile_line_breaks_stay_inside_their_message(api, scripted):
    scripted.build()
    scripted.enter("scanning")
    scripted.start("network")
    scripted.find("network", "service", "10.213.0.3:80/tcp", banner="a\r\n\r\nid: 1\ndata: <b>\u2028\x0b\x85")
    scripted.end_collector("network")
    scripted.clean_up()
    reader = await Reader(api, scripted.id).read()
    assert r"a\x0d\x0a\x0d\x0aid: 1\x0adata: &lt;b&gt;\u2028\x0b\x85" in reader.html
    assert int(reader.last_id) > 5


async def test_readers_who_begin_anywhere_leave_nothing_behind(api, scripted):
    scripted.whole()
    reader = await Reader(api, scripted.id).read()
    assert reader.closed
    with api.app.state.live_sessions.watched(scripted.id) as live:
        for after in range(30):
            answer = await api.client.get(LIVE.format(scripted.id), params={"after": after})
            assert "hx-partial" in answer.text
        assert len(live._messages) <= 8


async def test_a_kind_for_each_discovery_makes_no_longer_page():
    state = ShownSession()
    now = datetime.now(UTC)
    for number in range(1, 2001):
        found = DiscoveryReported(
            collector="network",
            run="1",
            line=number,
            discovery=Discovery(kind=f"kind_{number}", key="10.213.0.3"),
        )
        state.read(Event(journal=UUID(int=1), seq=number, session_id=UUID(int=2), at=now, data=found))
    assert dict(state.found) == {"of other kinds": 2000}


@pytest.mark.parametrize(
    ("scanned", "outcome", "says"),
    [
        ("", "stopped", "This dry-run was stopped before anything was scanned."),
        ("begun", "stopped", "This dry-run was stopped before its scan was over."),
        ("begun", "expired", "The session reached its deadline before its scan was over."),
        ("over", "expired", "The session reached its deadline. The scan was over and is in the report"),
        ("over", "completed", "The scan is over"),
    ],
)
async def test_a_page_states_what_of_the_scan_the_report_has(api, scripted, scanned, outcome, says):
    scripted.build()
    if scanned:
        scripted.scan()
    if scanned == "over":
        scripted.end_collector("network")
        scripted.measure()
    scripted.clean_up(outcome)
    reader = await Reader(api, scripted.id).read()
    assert says in reader.html
    assert ("without scores" in reader.html) == (scanned == "begun")
