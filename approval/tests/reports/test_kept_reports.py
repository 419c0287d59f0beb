"""A report is computed once for each state, apart from what serves pages, and kept."""

import asyncio
import time
from uuid import UUID

import pytest
from kept_reports import HTML, counting, has_ended, hostile, scored
from scripted_session import ScriptedSession
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.computing.worker_process import WorkerProcess, WorkFailedError
from approval_api.reports import repository, service
from approval_api.reports.service import Reports
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    DiscoveryReported,
    SessionEnded,
)
from dryrun_contract.session import Outcome


async def whole_session(api, orchestrator, eventually):
    """Return the id of a session that has ended."""
    session_id = await api.start()
    ScriptedSession(orchestrator, UUID(session_id)).whole()
    await eventually(lambda: has_ended(api, session_id))
    return session_id


async def test_the_landing_page_computes_nothing_and_says_what_is_being_scored(
    api, orchestrator, eventually, monkeypatch
):
    free = asyncio.Event()

    async def held(self, *task):
        await free.wait()
        raise WorkFailedError("it was let go")

    monkeypatch.setattr(WorkerProcess, "call", held)
    await whole_session(api, orchestrator, eventually)
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
    session_id = await whole_session(api, orchestrator, eventually)
    engine = api.app.state.engine
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM gateway.dryrun_reports"))
    await api.app.state.reports.work_once()
    async with engine.connect() as connection:
        figures = await repository.figures_of(connection, [UUID(ended), UUID(session_id)])
    assert set(figures) == {UUID(ended)}


async def test_a_session_that_another_version_stored_holds_up_no_report(api, ended, orchestrator, eventually):
    await eventually(lambda: scored(api))
    session_id = await whole_session(api, orchestrator, eventually)
    engine = api.app.state.engine
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM gateway.dryrun_reports"))
        newer = text("""UPDATE gateway.dryrun_sessions SET scan = scan || '{"newer": 1}' WHERE id = :id""")
        await connection.execute(newer, {"id": session_id})
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


async def test_a_score_of_another_version_hides_no_session_and_no_trend(api, engine, ended, eventually):
    async def figures():
        (session,) = (await api.get("/sessions")).json()["sessions"]
        return session["figures"]

    await eventually(figures)
    changed = 'UPDATE gateway.dryrun_reports SET figures = figures || \'{"measures": {"of_tomorrow": 1}}\''
    async with engine.begin() as connection:
        await connection.execute(text(changed))
    assert await figures() is None
    assert (await api.get("/trends", params={"template": "small"})).json() == {"points": []}
    for path in ("/", "/dryrun/sessions", "/dryrun/trends"):
        assert (await api.client.get(path, headers={"Accept": "text/html"})).status_code == 200
