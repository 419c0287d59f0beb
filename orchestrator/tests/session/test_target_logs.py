import asyncio
import json
import time
from typing import get_args

import pytest
from engine_in_memory.engine import FakeImage
from stage import ALLOWLIST, NETWORK, WEB, Stage, hosts

from dryrun_contract.event import LogPattern, SideEffect
from dryrun_contract.log_patterns import LOG_PATTERNS, SIDE_EFFECTS
from dryrun_orchestrator.engine.errors import ForbiddenError
from dryrun_orchestrator.session import log_lines, target_logs

PATTERNS = {"errors": "ERROR", "connections": "connection from", "pages_printed": "^page printed"}


def test_the_event_counts_what_manifests_may_name():
    assert get_args(LogPattern.__value__) == tuple(LOG_PATTERNS)
    assert get_args(SideEffect.__value__) == tuple(SIDE_EFFECTS)


@pytest.fixture
def patterned(tmp_path):
    """A stage whose web image says how its log is read; its database image says nothing."""
    stage = Stage(tmp_path)
    allowlist = json.loads(json.dumps(ALLOWLIST))
    allowlist["images"]["discovery/test-web:1"]["log_patterns"] = PATTERNS
    (tmp_path / "allowlist.json").write_text(json.dumps(allowlist))
    return stage


async def measured(stage, session_id):
    (event,) = await stage.events_of(session_id, "target_logs_measured")
    return event.targets


async def web_of_a_session(stage):
    session_id = await stage.start()
    await stage.ended(session_id)
    return (await measured(stage, session_id))["web"]


async def test_what_a_collector_leaves_in_a_log_is_reported_with_the_traffic(patterned):
    async def knock(container):
        for web in patterned.of_image(WEB):
            web.say(b"connection from 10.213.0.29\nERROR bad request, password hunter2\npage printed\n")
        for line in hosts("10.213.0.2"):
            container.say(line.data)
        return 0

    patterned.engine.images[WEB] = FakeImage(health_after=0.02, log=hosts())
    patterned.engine.images[NETWORK] = FakeImage(program=knock)
    async with patterned.running():
        session_id = await patterned.start()
        await patterned.ended(session_id)
        targets = await measured(patterned, session_id)
        web = targets["web"]
        assert web.counts == {"errors": 1, "connections": 1, "failed_logins": None, "slow_queries": None}
        assert web.side_effects == {"pages_printed": 1}
        assert web.not_searched == ()
        assert (web.lines, web.truncated, web.note) == (3, False, None)
        (logs,) = web.by_collectors
        assert (logs.collectors, logs.side_effects) == (("network",), {"pages_printed": 1})
        assert logs.sample[:2] == ("connection from 10.213.0.29", "ERROR bad request, password [hidden]")
        assert targets["db"].counts == dict.fromkeys(LOG_PATTERNS)
        assert targets["db"].side_effects == {}
        assert [event.type for event in await patterned.events(session_id)].count("traffic_measured") == 1


async def test_the_log_of_a_target_that_died_is_read_as_far_as_it_goes(patterned):
    async def kill(container):
        (web,) = patterned.of_image(WEB)
        web.say(b"ERROR assertion failed\n", "stderr")
        web.end(139)
        # The watch has to see it.
        while not await patterned.events_of(session_id, "target_harmed"):
            await asyncio.sleep(0.01)
        container.say(hosts()[0].data)
        return 0

    patterned.engine.images[NETWORK] = FakeImage(program=kill)
    async with patterned.running():
        session_id = await patterned.start()
        await patterned.ended(session_id)
        web = (await measured(patterned, session_id))["web"]
        assert web.counts["errors"] == 1
        assert web.note == "it died during the scan: its log ends there"


async def test_a_log_that_is_gone_is_not_measured_and_stops_nothing(patterned, monkeypatch):
    read_log = patterned.engine.read_log

    def take_away(container_id, *, follow, since=None):
        if container_id in {web.id for web in patterned.of_image(WEB)}:
            patterned.engine.vanish(container_id)
        return read_log(container_id, follow=follow, since=since)

    monkeypatch.setattr(patterned.engine, "read_log", take_away)
    async with patterned.running():
        web = await web_of_a_session(patterned)
        assert web.counts == dict.fromkeys(LOG_PATTERNS)
        assert web.not_searched == ("errors", "connections")
        assert web.note.startswith("its container was removed by somebody else")


async def test_a_pattern_that_is_given_up_is_named_as_one_that_was_not_searched_for(patterned, monkeypatch):
    monkeypatch.setattr(log_lines, "PATTERN_SECONDS", 0.05)
    monkeypatch.setitem(PATTERNS, "failed_logins", "(a|aa)+$")
    allowlist = json.loads(json.dumps(ALLOWLIST))
    allowlist["images"]["discovery/test-web:1"]["log_patterns"] = PATTERNS
    (patterned.folder / "allowlist.json").write_text(json.dumps(allowlist))

    async def flood(container):
        for web in patterned.of_image(WEB):
            web.say(b"a" * 4000 + b"!\n")
        container.say(hosts()[0].data)
        return 0

    patterned.engine.images[NETWORK] = FakeImage(program=flood)
    async with patterned.running():
        web = await web_of_a_session(patterned)
        assert (web.counts["failed_logins"], web.not_searched) == (None, ("failed_logins",))


async def test_what_was_not_searched_in_time_is_not_searched_afterwards(patterned, monkeypatch):
    """A search that went on would take the threads that others wait for, and count into a report."""
    counted = []
    count = log_lines.LogTally._count

    def count_slowly(tally, moment, line):
        time.sleep(0.01)
        counted.append(line)
        count(tally, moment, line)

    async def flood(container):
        for web in patterned.of_image(WEB):
            web.say(b"ERROR\n" * 1500)
        container.say(hosts()[0].data)
        return 0

    monkeypatch.setattr(target_logs, "READ_SECONDS", 0.2)
    monkeypatch.setattr(log_lines.LogTally, "_count", count_slowly)
    patterned.engine.images[NETWORK] = FakeImage(program=flood)
    async with patterned.running():
        web = await web_of_a_session(patterned)
        searched = len(counted)
        await asyncio.sleep(0.2)
        assert len(counted) == searched
        assert (web.truncated, web.counts["errors"]) == (True, web.lines)


async def test_a_log_that_cannot_be_read_is_reported_as_at_least(patterned, monkeypatch):
    read_log = patterned.engine.read_log

    def refuse(container_id, *, follow, since=None):
        if since is not None:
            raise ForbiddenError("logs with times are refused")
        return read_log(container_id, follow=follow)

    monkeypatch.setattr(patterned.engine, "read_log", refuse)
    async with patterned.running():
        session_id = await patterned.start()
        session = await patterned.ended(session_id)
        assert session.outcome == "completed"
        targets = await measured(patterned, session_id)
        assert all(logs.truncated and "logs with times" in logs.note for logs in targets.values())


async def test_traffic_is_separated_by_the_collectors_that_ran(patterned):
    async with patterned.running():
        session_id = await patterned.start()
        await patterned.ended(session_id)
        (traffic,) = await patterned.events_of(session_id, "traffic_measured")
        by = {part.collectors: part for part in traffic.by_collectors}
        assert ("network",) in by
        assert ("database",) in by
        received = sum(target.rx_packets for target in traffic.targets.values())
        assert sum(part.rx_packets for part in by.values()) == received


async def test_a_start_reports_the_digest_of_its_configuration(patterned):
    async with patterned.running():
        session_id = await patterned.start()
        await patterned.ended(session_id)
        starts = await patterned.events_of(session_id, "collector_started")
        assert all(start.config_digest.startswith("sha256:") for start in starts)
        other = await patterned.start()
        await patterned.ended(other)
        again = await patterned.events_of(other, "collector_started")
        assert [start.config_digest for start in again] == [start.config_digest for start in starts]


async def test_of_a_log_that_is_too_long_the_beginning_counts(patterned, monkeypatch):
    monkeypatch.setattr(target_logs, "READ_BYTES", 20_000)

    async def flood(container):
        (web,) = patterned.of_image(WEB)
        for _ in range(100):
            web.say(b"ERROR again\n" * 100)
        container.say(hosts()[0].data)
        return 0

    patterned.engine.images[NETWORK] = FakeImage(program=flood)
    async with patterned.running():
        web = await web_of_a_session(patterned)
        assert web.truncated
        assert 100 <= web.counts["errors"] < 10_000


async def test_a_flood_does_not_wipe_what_came_before_it(patterned):
    async def print_and_flood(container):
        (web,) = patterned.of_image(WEB)
        web.say(b"page printed\n")
        # Less than READ_BYTES is left when a full log has just been begun anew.
        for _ in range(115):
            web.say(b"connection from 10.213.0.29\n" * 1000)
        container.say(hosts()[0].data)
        return 0

    patterned.engine.images[NETWORK] = FakeImage(program=print_and_flood)
    async with patterned.running():
        web = await web_of_a_session(patterned)
        assert web.side_effects["pages_printed"] or web.truncated


def test_no_line_is_stored_in_more_than_is_reckoned_with():
    stamp = b"2026-01-31T09:30:00.123456789Z "
    for code in range(256):
        text = bytes([code]).decode("utf-8", "replace")
        # The engine escapes more than it has to.
        entry = {"log": f"{text}\n", "stream": "stdout", "time": stamp.decode().strip()}
        row = json.dumps(entry, separators=(",", ":")) + "\n"
        shown = stamp + text.encode() + b"\n"
        assert target_logs._stored_bytes(shown) >= len(row)
