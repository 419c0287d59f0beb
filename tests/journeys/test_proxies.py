"""A whole session through a socket proxy with the record's settings, in the form of older and newer proxies.

One system, one proxy whose rules change between its sessions. The proxy itself writes down what is called.
"""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from event_ledger import journal_rows, require_every_event_once
from haproxy import RECORD, Haproxy, ProxiedCall, open_haproxy
from local_stack import Stack
from log_cutter import LogCutter

pytestmark = pytest.mark.engine

CALLS = {
    ("GET", "/_ping"),
    ("GET", "/version"),
    ("GET", "/events"),
    ("GET", "/networks"),
    ("POST", "/networks/create"),
    ("DELETE", "/networks/*"),
    ("GET", "/containers/json"),
    ("POST", "/containers/create"),
    ("POST", "/containers/*/start"),
    ("POST", "/containers/*/attach"),
    ("GET", "/containers/*/json"),
    ("GET", "/containers/*/stats"),
    ("GET", "/containers/*/logs"),
    ("DELETE", "/containers/*"),
}
"""All that a session calls: nothing of images, info, exec or volumes, nothing that pulls, no kill."""
MAKING = {("POST", "/networks/create"), ("POST", "/containers/create")}
CUTS = [400, 700, 1000, 1500]
"""Bytes of a log's answer, after which its connection is cut; each reads a little further than the last."""


def called(calls: list[ProxiedCall]) -> set[tuple[str, str]]:
    return {(call.method, call.path) for call in calls}


def reported(stack: Stack, session_id: UUID) -> Counter[tuple[str, ...]]:
    """How often each discovery was reported: collector, kind and key, with the service for the address."""
    rows = [(kind, data) for _, session, kind, data in journal_rows(stack) if session == str(session_id)]
    (names,) = (data["addresses"] for kind, data in rows if kind == "addresses_mapped")
    found: Counter[tuple[str, ...]] = Counter()
    for kind, data in rows:
        if kind == "discovery_reported":
            discovery = data["discovery"]
            address, _, rest = discovery["key"].partition(":")
            found[data["collector"], discovery["kind"], names[address], rest] += 1
    return found


async def completed(stack: Stack, session_id: UUID) -> None:
    session = await stack.wait_until_ended(session_id)
    assert session.outcome == "completed", session.reason
    ended = [data for _, session, kind, data in journal_rows(stack)
             if (session, kind) == (str(session_id), "collector_ended")]  # fmt: skip
    assert [(each["complete"], each["reason"]) for each in ended] == [(True, None)] * 2


async def require_refusal(stack: Stack, proxy: Haproxy, missing: str, names: tuple[str, ...]) -> None:
    """Without the flag a session ends before anything is made, and its reason says which flag."""
    proxy.start(RECORD - {missing}, newer=True)
    try:
        proxy.take_calls()
        session_id = await stack.start_session("quick")
        session = await stack.wait_until_ended(session_id)
        calls = proxy.take_calls()
    finally:
        proxy.start(RECORD, newer=True)
    assert session.outcome == "failed"
    assert [name for name in names if name not in (session.reason or "")] == []
    assert [call for call in calls if call.denied] != []
    assert called(calls) & MAKING == set()
    assert await stack.things_of(session_id) == []


@pytest.fixture
async def wire() -> AsyncIterator[tuple[LogCutter, Haproxy]]:
    """From orchestrator to engine; asked for before the stack, it is there until the stack is gone."""
    with open_haproxy() as proxy:
        proxy.start(RECORD, newer=False)
        cutter = LogCutter(proxy.socket_path)
        async with cutter.listening():
            yield cutter, proxy


async def test_sessions_pass_with_the_record_s_settings_and_a_missing_flag_is_named(wire, start_stack, quick):
    cutter, proxy = wire
    # Sessions make their own proofs; a check between them would count among their calls.
    stack = await start_stack(DOCKER_HOST=cutter.docker_host, ORCHESTRATOR_ISOLATION_SECONDS="120", **quick)

    undisturbed = await stack.start_session("quick")
    await completed(stack, undisturbed)
    calls = proxy.take_calls()
    assert called(calls) == CALLS
    assert [call for call in calls if call.denied] == []
    # `database` stood by: its input was tried, and then it was handed what `network` had found.
    assert [call.path for call in calls].count("/containers/*/attach") == 2

    proxy.start(RECORD, newer=True)
    proxy.take_calls()
    disturbed = await stack.start_session("quick")
    # The probe has spoken by then; what is cut is the collectors' word.
    await stack.wait_for_phase(disturbed, "waiting", "scanning")
    cutter.limits = list(CUTS)
    await completed(stack, disturbed)
    # Which API the engine speaks was asked once.
    calls = proxy.take_calls()
    assert called(calls) == CALLS - {("GET", "/version")}
    assert [call for call in calls if call.denied] == []
    assert reported(stack, disturbed) == reported(stack, undisturbed)
    assert cutter.cuts == len(CUTS)
    await require_every_event_once(stack)

    await require_refusal(stack, proxy, "DELETE", ("DELETE /containers/", "DELETE=1"))
    await require_refusal(stack, proxy, "LOGS", ("/logs", "ALLOW_LOGS=1"))
