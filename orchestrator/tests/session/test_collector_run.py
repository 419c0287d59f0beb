import asyncio
import json

import pytest
from engine_in_memory.engine import FakeImage, stdout
from stage import NETWORK

from dryrun_contract.session import Outcome
from dryrun_orchestrator.engine.protocol import LogChunk
from dryrun_orchestrator.session import collector_run
from dryrun_orchestrator.session.stored_run import MAX_WARNING_EVENTS


def host_lines(count):
    return [
        json.dumps({"type": "discovery", "kind": "host", "key": f"10.1.{n // 250}.{n % 250}"})
        for n in range(count)
    ]


async def run(stage, image):
    stage.engine.images[NETWORK] = image
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        events = await stage.events(session_id)
    (ended,) = [e for e in events if e.type == "collector_ended" and e.collector == "network"]
    return events, ended


def printing(*lines, end=True, **changes):
    if end:
        lines = (*lines, json.dumps({"type": "end", "discoveries": len(lines)}))
    return FakeImage(**{"log": stdout(*lines), "exit_after": 0.01, **changes})


@pytest.mark.parametrize("quietly", [False, True], ids=["with an error", "as if it had ended"])
async def test_a_log_cut_ten_times_gives_each_line_once(stage, quietly):
    lines = [*host_lines(300), json.dumps({"type": "end", "discoveries": 300})]
    faults = stage.engine.faults

    async def say(container):
        for line in lines[:250]:
            container.say(f"{line}\n".encode())
            await asyncio.sleep(0.001)
        # An ended log is read three times, however slowly the machine reads: all cuts come before.
        async with asyncio.timeout(60):
            while faults._log_cuts:
                await asyncio.sleep(0.01)
        for line in lines[250:]:
            container.say(f"{line}\n".encode())
        return 0

    image = FakeImage(program=say)
    for cut in range(10):
        stage.engine.faults.cut_log(1000 + cut * 1500, quietly=quietly)
    # The isolation probe's logs are shorter than every cut, so these two connections change nothing.
    stage.engine.faults.cut_log(9000, times=2, quietly=quietly)
    events, ended = await run(stage, image)
    assert [e.line for e in events if e.type == "discovery_reported"] == list(range(1, 301))
    assert (ended.complete, ended.discoveries, ended.lines) == (True, 300, 301)


async def test_lines_that_are_not_understood_are_warnings_and_counted_beyond_the_bound(stage):
    events, ended = await run(stage, printing(*["rubbish \x1b[2J"] * 250))
    warnings = [e for e in events if e.type == "collector_warned"]
    assert len(warnings) == MAX_WARNING_EVENTS
    assert ended.warnings == 250
    assert not ended.complete
    assert "\x1b" not in warnings[0].message


async def test_more_discoveries_than_the_ceiling_are_reported_as_truncated(stage):
    stage.changes["output_discoveries"] = 50
    events, ended = await run(stage, printing(*host_lines(200)))
    assert ended.truncated
    assert not ended.complete
    assert "more than 50 discoveries" in ended.reason
    assert len([e for e in events if e.type == "discovery_reported"]) == 50


async def test_a_flood_beyond_the_output_ceiling_ends_the_collector(stage):
    stage.changes["output_bytes"] = 100_000

    async def flood(container):
        for _ in range(10_000):
            container.say(b"x" * 1000 + b"\n")
        await asyncio.Event().wait()
        return 0

    _, ended = await run(stage, FakeImage(program=flood))
    assert ended.truncated
    assert "longer than 100000 bytes" in ended.reason
    assert not stage.of_image(NETWORK)


async def test_lines_beyond_their_ceiling_end_the_collector_however_short_they_are(stage):
    stage.changes["output_lines"] = 50
    events, ended = await run(stage, printing(*host_lines(60)))
    assert (ended.complete, ended.truncated, ended.lines) == (False, True, 50)
    assert ended.reason == "it writes more than 50 lines"
    assert len([e for e in events if e.type == "discovery_reported"]) == 50


async def test_warnings_have_no_ceiling_of_their_own(stage):
    stage.changes["output_not_understood"] = 50
    lines = ['{"type":"warning","message":"m"}'] * 60
    _, ended = await run(stage, printing(*lines, '{"type":"end","discoveries":0}', end=False))
    assert (ended.complete, ended.truncated, ended.warnings) == (True, False, 60)


@pytest.mark.parametrize("line", ["", "}{"])
async def test_lines_that_nobody_understands_end_the_collector_beyond_their_ceiling(stage, line):
    stage.changes["output_not_understood"] = 50
    _, ended = await run(stage, printing(*[line] * 60))
    assert (ended.complete, ended.truncated, ended.lines) == (False, True, 50)
    assert ended.reason == "it writes more than 50 lines that are not understood"


async def test_a_log_that_lost_its_beginning_is_truncated_and_never_silently_short(stage):
    async def rotate(container):
        container.say(b'{"type":"discovery","kind":"host","key":"10.1.0.1"}\n')
        await asyncio.sleep(0.3)
        container._log.clear()
        container.say(
            b'{"type":"discovery","kind":"host","key":"10.1.0.3"}\n{"type":"end","discoveries":1}\n'
        )
        return 0

    _, ended = await run(stage, FakeImage(program=rotate))
    assert ended.truncated
    assert "rotated" in ended.reason


async def test_a_log_that_lost_lines_before_they_were_read_does_not_count_as_whole(stage):
    async def rotate(container):
        container.say(b'{"type":"discovery","kind":"host","key":"10.1.0.1"}\n')
        container._log.clear()
        container.say(
            b'{"type":"discovery","kind":"host","key":"10.1.0.3"}\n{"type":"end","discoveries":2}\n'
        )
        return 0

    _, ended = await run(stage, FakeImage(program=rotate))
    assert not ended.complete
    assert "counts 2 discoveries, 1 were read" in ended.reason


@pytest.mark.parametrize("answers_again", [True, False])
async def test_what_was_written_when_its_time_is_up_is_kept_and_called_incomplete(
    stage, monkeypatch, answers_again
):
    monkeypatch.setattr(collector_run, "REST_SECONDS", 0.5)
    stage.timeouts["network"] = 1

    async def scan(container):
        # Whoever reads is behind all the time that the collector has.
        stage.engine.faults.hang("read_log", seconds=30, times=1 if answers_again else 2)
        for line in host_lines(700):
            container.say(f"{line}\n".encode())
        await asyncio.Event().wait()
        return 0

    events, ended = await run(stage, FakeImage(program=scan))
    found = [event.line for event in events if event.type == "discovery_reported"]
    assert found == (list(range(1, 701)) if answers_again else [])
    assert (ended.complete, ended.discoveries) == (False, len(found))
    assert ended.reason == "it did not end within 1 s"


async def test_more_than_may_be_read_counts_as_truncated_also_when_the_time_is_up(stage, monkeypatch):
    monkeypatch.setattr(collector_run, "REST_SECONDS", 2)
    stage.timeouts["network"] = 1
    stage.changes["output_discoveries"] = 100

    async def scan(container):
        stage.engine.faults.hang("read_log", seconds=30, times=1)
        for line in host_lines(101):
            container.say(f"{line}\n".encode())
        await asyncio.Event().wait()
        return 0

    _, ended = await run(stage, FakeImage(program=scan))
    assert (ended.complete, ended.truncated) == (False, True)
    assert ended.reason == "it did not end within 1 s"


async def test_a_last_line_without_a_line_break_counts(stage):
    log = (*stdout(*host_lines(2)), LogChunk("stdout", b'{"type":"end","discoveries":2}'))
    _, ended = await run(stage, FakeImage(log=log, exit_after=0.01))
    assert (ended.complete, ended.lines) == (True, 3)


async def test_the_last_words_on_stderr_explain_a_crash(stage):
    log = (*stdout(*host_lines(1)), LogChunk("stderr", b"Traceback\nValueError: no such host\n"))
    _, ended = await run(stage, FakeImage(log=log, exit_after=0.01, exit_code=1))
    assert "exit code 1" in ended.reason
    assert "ValueError: no such host" in ended.reason
    assert ended.exit_code == 1


async def test_a_hostile_key_or_value_travels_as_data(stage):
    data = {"banner": "<script>\u202e"}
    line = json.dumps({"type": "discovery", "kind": "service", "key": "10.1.0.1:80/tcp", "data": data})
    events, ended = await run(stage, printing(line))
    (found,) = [e for e in events if e.type == "discovery_reported"]
    assert found.discovery.data == data
    assert ended.complete


async def test_a_collector_that_writes_again_and_again_that_all_is_done_fills_no_journal(stage):
    done = [json.dumps({"type": "progress", "done": n, "total": n}) for n in range(1, 2001)]
    events, ended = await run(
        stage, printing(*done, json.dumps({"type": "end", "discoveries": 0}), end=False)
    )
    assert ended.complete
    told = [event for event in events if event.type == "collector_progressed"]
    assert told[0].done == 1
    # One a time of progress, and the reading takes some of those.
    assert len(told) < 100
