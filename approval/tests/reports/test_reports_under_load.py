"""Reports of hostile sessions, and their slow readers, are bounded, and keep nobody waiting."""

import asyncio
import random
import time
import zlib
from contextlib import AsyncExitStack
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from kept_reports import HTML, has_ended, hostile, scored
from scripted_session import ScriptedSession
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from approval_api.app import create_app
from approval_api.computing.worker_process import WorkerProcess
from approval_api.reports import repository
from approval_api.web.compressed import unpacked
from dryrun_serving.ceiling import Ceiling


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
