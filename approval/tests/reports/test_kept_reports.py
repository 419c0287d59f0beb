"""A report is computed once for each state, apart from what serves pages, and kept."""

import asyncio
import random
import time
import zlib
from collections import Counter
from contextlib import AsyncExitStack
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from scripted_session import ScriptedSession
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from approval_api.app import create_app
from approval_api.reports import repository, service
from approval_api.reports.service import Reports
from approval_api.reports.worker_process import WorkerProcess, WorkFailedError
from approval_api.web.compressed import unpacked
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    AddressesMapped,
    CollectorStarted,
    DiscoveryReported,
    PhaseChanged,
    SessionEnded,
)
from dryrun_contract.session import Outcome, Phase
from dryrun_serving.ceiling import Ceiling

DIGEST = "sha256:" + "1" * 64
HTML = {"Accept": "text/html"}


async def has_ended(api, session_id):
    return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "ended"


def hostile(orchestrator, session_id, discoveries, *, ends=True):
    """Report a session whose collector repeats itself in deep keys."""
    session = UUID(session_id)
    orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
    orchestrator.tell(session, AddressesMapped(addresses={"10.213.0.3": "web"}))
    started = CollectorStarted(collector="web", run="1", image="i", image_id=DIGEST, config_digest=DIGEST)
    orchestrator.tell(session, started)
    for number in range(discoveries):
        found = Discovery(kind="web_app", key=f"10.213.0.3:80/tcp/{number:05d}{'/a' * 14}", confidence=0.9)
        event = DiscoveryReported(collector="web", run="1", line=number + 1, discovery=found)
        orchestrator.tell(session, event)
    if ends:
        orchestrator.tell(session, SessionEnded(outcome=Outcome.COMPLETED))


@pytest.fixture
async def ended(api, orchestrator, eventually):
    session_id = await api.start()
    ScriptedSession(orchestrator, UUID(session_id)).whole()
    await eventually(lambda: has_ended(api, session_id))
    return session_id


def counting(api, monkeypatch, delay=0.0):
    """Count the tasks that processes get, by name."""
    tasks = Counter()
    original = WorkerProcess.call

    async def call(self, *task):
        tasks[task[0].decode()] += 1
        await asyncio.sleep(delay)
        return await original(self, *task)

    monkeypatch.setattr(WorkerProcess, "call", call)
    return tasks


async def scored(api):
    return "being scored" not in (await api.client.get("/", headers=HTML)).text


async def test_the_landing_page_computes_nothing_and_says_what_is_being_scored(
    api, orchestrator, eventually, monkeypatch
):
    free = asyncio.Event()

    async def held(self, *task):
        await free.wait()
        raise WorkFailedError("it was let go")

    monkeypatch.setattr(WorkerProcess, "call", held)
    session_id = await api.start()
    ScriptedSession(orchestrator, UUID(session_id)).whole()
    await eventually(lambda: has_ended(api, session_id))
    begin = time.monotonic()
    shown = await api.client.get("/", headers=HTML)
    assert time.monotonic() - begin < 1
    assert shown.status_code == 200
    assert "being scored" in shown.text
    assert 'hx-trigger="every 5s"' in shown.text
    free.set()
    await eventually(lambda: scored(api))
    assert "no report: it was let go" in (await api.client.get("/", headers=HTML)).text


async def test_an_ended_session_is_scored_without_anybody_asking(api, ended, eventually):
    await eventually(lambda: scored(api))
    shown = (await api.client.get("/", headers=HTML)).text
    assert "unharmed" in shown or "harmed</span>" in shown
    report = (await api.get(f"/sessions/{ended}/report")).json()
    assert f"{report['scores']['overall']['recall']:.2f}" in shown


async def test_the_landing_page_calls_nothing_unharmed_that_no_scan_met(api, orchestrator, eventually):
    session_id = await api.start()
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.STOPPED))
    await eventually(lambda: has_ended(api, session_id))
    await eventually(lambda: scored(api))
    shown = (await api.client.get("/", headers=HTML)).text
    assert session_id in shown
    assert "unharmed" not in shown


async def test_a_report_that_raises_holds_up_no_other(api, ended, orchestrator, eventually, monkeypatch):
    await eventually(lambda: scored(api))
    original = Reports._compute

    async def compute(self, state):
        if str(state.stored.view.id) != ended:
            raise KeyError("of the program's own")
        return await original(self, state)

    monkeypatch.setattr(Reports, "_compute", compute)
    session_id = await api.start()
    ScriptedSession(orchestrator, UUID(session_id)).whole()
    await eventually(lambda: has_ended(api, session_id))
    engine = api.app.state.engine
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM gateway.dryrun_reports"))
    await api.app.state.reports.work_once()
    async with engine.connect() as connection:
        figures = await repository.figures_of(connection, [UUID(ended), UUID(session_id)])
    assert set(figures) == {UUID(ended)}


async def test_older_reports_of_an_earlier_version_are_computed_anew_one_in_each_round(
    api, ended, orchestrator, eventually, monkeypatch
):
    newer = await api.start()
    ScriptedSession(orchestrator, UUID(newer)).whole()
    await eventually(lambda: has_ended(api, newer))
    await eventually(lambda: scored(api))
    monkeypatch.setattr(service, "SCORED_AHEAD", 1)
    engine, reports = api.app.state.engine, Reports(api.app.state.engine, api.app.state.metrics)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.dryrun_reports SET state = 'of an earlier version'"))
    comparable = [reports.are_of_this_version()]
    for _ in range(2):
        await reports.work_once()
        comparable.append(reports.are_of_this_version())
    async with engine.connect() as connection:
        figures = await repository.figures_of(connection, [UUID(ended), UUID(newer)])
    await reports.close()
    assert set(figures) == {UUID(ended), UUID(newer)}
    assert (comparable[0], comparable[-1]) == (False, True)


async def test_a_session_that_is_deleted_meanwhile_keeps_no_older_report_as_it_was(
    api, ended, orchestrator, eventually, monkeypatch
):
    newer = [UUID(await api.start()) for _ in range(3)]
    for session in newer:
        ScriptedSession(orchestrator, session).whole()
        await eventually(lambda session=session: has_ended(api, session))
    await eventually(lambda: scored(api))
    monkeypatch.setattr(service, "SCORED_AHEAD", 1)
    engine, reports = api.app.state.engine, Reports(api.app.state.engine, api.app.state.metrics)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.dryrun_reports SET state = 'of an earlier version'"))
    await reports.work_once()
    async with engine.begin() as connection:
        deleted = text("DELETE FROM gateway.dryrun_sessions WHERE id = :id")
        await connection.execute(deleted, {"id": newer[1]})
    while not reports.are_of_this_version():
        await reports.work_once()
    async with engine.connect() as connection:
        figures = await repository.figures_of(connection, [UUID(ended), *newer])
    await reports.close()
    assert set(figures) == {UUID(ended), newer[0], newer[2]}


async def test_a_late_event_makes_the_figures_of_the_landing_page_anew(api, orchestrator, eventually):
    session_id = await api.start()
    hostile(orchestrator, session_id, 3)

    async def scored_as(number):
        async with api.app.state.engine.connect() as connection:
            figures = (await repository.figures_of(connection, [UUID(session_id)])).get(UUID(session_id))
        return figures is not None and figures.false_positives == number

    await eventually(lambda: scored_as(3))
    # What a journal that was away has to add: the session had been given up here.
    late = Discovery(kind="web_app", key="10.213.0.3:80/tcp/late", confidence=0.9)
    orchestrator.tell(UUID(session_id), DiscoveryReported(collector="web", run="1", line=9, discovery=late))
    await eventually(lambda: scored_as(4))


@pytest.mark.whole_pool
async def test_seven_viewers_cause_one_computation_and_one_writing(
    api, orchestrator, eventually, monkeypatch
):
    session_id = await api.start()
    hostile(orchestrator, session_id, 40, ends=False)

    async def arrived():
        page = await api.get(f"/sessions/{session_id}/events", params={"limit": 2000})
        return len(page.json()["events"]) == 44

    await eventually(arrived)
    tasks = counting(api, monkeypatch, delay=0.3)
    views = [api.client.get(f"/dryrun/sessions/{session_id}/report", headers=HTML) for _ in range(7)]
    assert {answer.status_code for answer in await asyncio.gather(*views)} == {200}
    assert tasks == {"compute": 1, "write": 1}
    await api.client.get(f"/dryrun/sessions/{session_id}/report", headers=HTML)
    assert tasks == {"compute": 1, "write": 2}


async def test_news_of_a_session_make_a_new_report_of_it(api, orchestrator, eventually):
    session_id = await api.start()
    hostile(orchestrator, session_id, 3, ends=False)

    async def false_positives(number):
        report = (await api.get(f"/sessions/{session_id}/report")).json()
        return report["scores"] and len(report["scores"]["false_positives"]) == number and report

    assert not (await eventually(lambda: false_positives(3)))["final"]
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))
    await eventually(lambda: has_ended(api, session_id))
    assert (await false_positives(3))["final"]


async def test_a_report_that_is_kept_is_read_by_another_process_too(
    api, ended, eventually, engine, settings, orchestrator, serving, monkeypatch
):
    await eventually(lambda: scored(api))
    async with engine.connect() as connection:
        state = await repository.find_state(connection, UUID(ended))
        kept = await repository.find(connection, UUID(ended))
    assert kept.state == state.digest
    async with serving(create_app(settings, orchestrator_transport=orchestrator)) as other:
        tasks = counting(other, monkeypatch)
        assert (await other.get(f"/sessions/{ended}/report")).status_code == 200
        assert tasks == {}


async def test_a_report_that_another_process_began_before_the_end_replaces_no_final_one(
    api, orchestrator, eventually, engine
):
    session_id = await api.start()
    hostile(orchestrator, session_id, 3, ends=False)

    async def is_scanning():
        return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "scanning"

    await eventually(is_scanning)
    async with engine.connect() as connection:
        earlier = await repository.find_state(connection, UUID(session_id))
    orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED))
    await eventually(lambda: has_ended(api, session_id))
    await eventually(lambda: scored(api))
    async with engine.begin() as connection:
        final = await repository.find(connection, UUID(session_id))
        assert await repository.keep(connection, earlier, failure="it took too long") is None
        assert await repository.find(connection, UUID(session_id)) == final


async def test_a_failure_of_another_process_replaces_no_report_of_the_same_state(
    api, ended, eventually, engine
):
    await eventually(lambda: scored(api))
    async with engine.begin() as connection:
        state = await repository.find_state(connection, UUID(ended))
        kept = await repository.find(connection, UUID(ended))
        await repository.keep(connection, state, failure="it took too long")
        assert await repository.find(connection, UUID(ended)) == kept


async def test_what_is_deleted_takes_its_report_along(api, ended, eventually, engine):
    await eventually(lambda: scored(api))
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM gateway.dryrun_events"))
        await connection.execute(text("DELETE FROM gateway.dryrun_discoveries"))
        await connection.execute(text("DELETE FROM gateway.dryrun_sessions"))
        assert (
            await connection.execute(text("SELECT count(*) FROM gateway.dryrun_reports"))
        ).scalar_one() == 0


async def test_a_report_says_when_it_could_not_take_everything(api, orchestrator, eventually, monkeypatch):
    monkeypatch.setattr(repository, "MAX_DISCOVERIES", 10)
    session_id = await api.start()
    hostile(orchestrator, session_id, 25)
    await eventually(lambda: has_ended(api, session_id))
    answer = await api.get(f"/sessions/{session_id}/report", params={"judged": True})
    report = answer.json()
    assert report["left_out"] == 15
    assert [one["key"] for one in report["scores"]["false_positives"]] == [
        f"web:80/tcp/{number:05d}{'/a' * 14}" for number in range(10)
    ]
    (cut,) = [one for one in report["verdict"]["results"] if one["criterion"] == "nothing_left_out"]
    assert cut["status"] == "failed"
    shown = (await api.client.get(f"/dryrun/sessions/{session_id}/report", headers=HTML)).text
    assert "15 events exceed the limit of a report" in shown


async def test_a_report_takes_a_bounded_weight_of_bytes_and_values(
    api, orchestrator, eventually, monkeypatch
):
    monkeypatch.setattr(repository, "MAX_WEIGHT", 6000)
    session_id = await api.start()
    hostile(orchestrator, session_id, 25)
    await eventually(lambda: has_ended(api, session_id))
    report = (await api.get(f"/sessions/{session_id}/report")).json()
    assert 0 < len(report["scores"]["false_positives"]) < 25
    assert report["left_out"] == 25 - len(report["scores"]["false_positives"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/dryrun/sessions/{}/report?judged=true",
        "/api/v1/dryrun/sessions/{}/report?format=csv",
        "/dryrun/sessions/{}/report",
        "/dryrun/compare?a={}&b={}",
        "/dryrun/sessions/{}",
        "/dryrun/discoveries?session={}",
        "/dryrun/sessions",
        "/production/discoveries",
        "/",
    ],
)
async def test_no_connection_is_held_while_something_is_computed_or_rendered(
    path, settings, database_url, orchestrator, serving, eventually, monkeypatch
):
    """Every computation and every page looks at the pool: nobody of this request has a connection."""
    out = {}
    engine = create_async_engine(database_url, pool_size=5)

    # By task: the follower, the background and the listener have connections of their own.
    def taken(_, record, *__):
        out[record] = asyncio.current_task()

    sqlalchemy_event.listen(engine.sync_engine, "checkout", taken)
    sqlalchemy_event.listen(engine.sync_engine, "checkin", lambda _, record: out.pop(record, None))
    app = create_app(settings, engine=engine, orchestrator_transport=orchestrator)
    async with serving(app) as api:
        session_id = await api.start()
        ScriptedSession(orchestrator, UUID(session_id)).whole()
        await eventually(lambda: has_ended(api, session_id))
        held = []
        pages, call = app.state.pages, WorkerProcess.call

        def watched(work):
            def see(*args, **kwargs):
                held.append(asyncio.current_task() in out.values())
                return work(*args, **kwargs)

            return see

        monkeypatch.setattr(WorkerProcess, "call", watched(call))
        monkeypatch.setattr(pages, "render", watched(pages.render))
        await eventually(lambda: scored(api))
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM gateway.dryrun_reports"))
        held.clear()
        answer = await api.client.get(path.format(session_id, session_id), headers=HTML)
        assert answer.status_code == 200
        assert held
        assert not any(held)


@pytest.mark.whole_pool
async def test_two_hostile_sessions_do_not_keep_anybody_from_anything(
    api, orchestrator, eventually, browsers
):
    for _ in range(2):
        hostile(orchestrator, await api.start(), 1500)
    person = await browsers("ada-of-the-viewers")
    begin = time.monotonic()
    waits = []

    async def look():
        for _ in range(5):
            asked = time.monotonic()
            assert (await api.client.get("/", headers=HTML)).status_code == 200
            waits.append(time.monotonic() - asked)

    async def sign_in():
        asked = time.monotonic()
        assert (await person.sign_in("wrong words of nobody")).status_code == 401
        return time.monotonic() - asked

    results = await asyncio.gather(*(look() for _ in range(5)), sign_in())
    assert results[-1] < 2
    assert max(waits) < 1
    assert time.monotonic() - begin < 20
    await eventually(lambda: scored(api), seconds=30)


def test_a_document_waits_for_its_reader_compressed():
    whole = b"a repetitive document of a hostile session " * 100_000
    pieces = list(unpacked(zlib.compress(whole)))
    assert b"".join(pieces) == whole
    assert max(map(len, pieces)) <= 64 * 1024


async def test_documents_of_slow_readers_are_bounded_together(api, ended, eventually, monkeypatch, browsers):
    await eventually(lambda: scored(api))
    address = urlsplit(str(api.client.base_url))
    path = f"/api/v1/dryrun/sessions/{ended}/report"
    document = random.Random(7).randbytes(12 * 2**20).hex().encode()
    kept = zlib.compress(document, 1)

    async def write(*_):
        async with api.app.state.engine.connect() as connection:
            return (await repository.find_state(connection, UUID(ended))).stored.view, kept

    monkeypatch.setattr(api.app.state.reports, "write", write)
    monkeypatch.setattr(api.app.state, "bytes_on_their_way", Ceiling(3 * len(kept), 2 * len(kept)))

    async def asked(stack, token):
        before = api.app.state.bytes_on_their_way.total
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        stack.callback(lambda: writer.transport.abort())  # noqa: PLW0108 - keeps the writer
        writer.transport.pause_reading()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await eventually(lambda: asyncio.sleep(0, api.app.state.bytes_on_their_way.total > before))
        return writer

    async with AsyncExitStack() as stack:
        held = [await asked(stack, "a-token-of-the-tests") for _ in range(2)]
        refused = await api.client.get(path)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:too-many-documents")
        await asked(stack, "another-token-of-the-tests")
        other = {"Authorization": "Bearer another-token-of-the-tests"}
        assert (await api.client.get(path, headers=other)).status_code == 503
        assert api.app.state.bytes_on_their_way.total == 3 * len(kept)
        held[0].transport.abort()
        await eventually(lambda: asyncio.sleep(0, api.app.state.bytes_on_their_way.total == 2 * len(kept)))
        assert (await api.client.get(path)).content == document
