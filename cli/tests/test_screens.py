import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import recorded_session
from terminal_text import OURS


def test_plain_lines_carry_time_subject_and_words(run):
    _, stdout, _ = run("start", "small", "--watch")
    lines = stdout.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d UTC  session    queued: template small, requested by ada", lines[0])
    assert any(line.endswith("found      service db:5432/tcp (PostgreSQL DB 17.2)") for line in lines)
    assert any(line.endswith("session    ended: completed") for line in lines)


@pytest.mark.parametrize(
    "arguments", [("--json", "events", "last"), ("events", "last", "--follow", "--json")]
)
def test_json_is_one_event_per_line_as_the_api_sent_it(run, api, arguments):
    session = api.add_session()
    api.record_all(session, recorded_session.small())
    _, stdout, _ = run(*arguments)
    assert [json.loads(line) for line in stdout.splitlines()] == api.events[session["id"]]


def test_json_watching_writes_events_and_nothing_else(run, api):
    _, stdout, _ = run("--json", "start", "small", "--watch")
    (events,) = api.events.values()
    assert [json.loads(line) for line in stdout.splitlines()] == events


def test_the_live_view_restores_the_terminal(on_terminal):
    code, output = on_terminal("start", "small", "--watch")
    assert code == 0
    assert output.count("\x1b[?7l") == output.count("\x1b[?7h") == 1
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert "Session completed; everything it built is removed." in output


def test_ctrl_c_on_a_terminal_stops_the_session_and_restores_the_terminal(on_terminal, api):
    api.speed = 3
    code, output = on_terminal("start", "small", "--watch", interrupt_at=["starting"])
    assert code == 130
    assert "The session is stopping" in output
    assert "Session stopped; everything it built is removed." in output
    assert output.rindex("\x1b[?7h") > output.rindex("\x1b[?7l")


def test_leaving_restores_the_terminal(on_terminal, api):
    api.speed = 3
    api.deny_stop = True
    code, output = on_terminal("start", "small", "--watch", interrupt_at=["starting", "is stopping"])
    assert code == 130
    assert "Left session" in output
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert output.rindex("\x1b[?7h") > output.rindex("\x1b[?7l")


def test_no_color_is_honoured(on_terminal):
    _, output = on_terminal("start", "small", "--watch", NO_COLOR="1")
    codes = {code for match in re.findall(r"\x1b\[([0-9;]*)m", output) for code in match.split(";")}
    assert codes <= {"", "0", "1", "2", "22"}  # bold and dim are no colours


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(on_terminal, more):
    _, output = on_terminal("start", "small", "--watch", **more)
    assert "\x1b[?25l" not in output
    assert "session    ended: completed" in output


def test_plain_is_plain_on_a_terminal_too(on_terminal):
    _, output = on_terminal("start", "small", "--watch", "--plain")
    assert "\x1b[?7l" not in output
    assert "session    ended: completed" in output


def test_forced_colour_makes_no_live_view_in_a_pipe(run):
    _, stdout, _ = run("start", "small", "--watch", FORCE_COLOR="1")
    assert "\x1b[?25l" not in OURS.sub("", stdout)
    assert "session    ended: completed" in stdout


def test_an_encoding_without_the_signs_is_no_failure(on_terminal):
    code, output = on_terminal("start", "small", "--watch", PYTHONIOENCODING="ascii")
    assert code == 0
    assert output.isascii()
    assert "+ Report of" in OURS.sub("", output)


def test_a_session_shows_what_was_chosen_for_its_scan(run, api):
    chosen = {"collectors": ["network"], "profile": "full", "max_rate": 2500}
    session = api.add_session(scan=chosen)
    shown = " ".join(run("show", session["id"])[1].split())
    assert "scan collectors network; profile full; at most 2,500 packets/s from each collector" in shown
    assert "scan " not in " ".join(run("show", api.add_session()["id"])[1].split())


def test_a_session_whose_deadline_has_passed_shows_that_it_is_still_there(run, api):
    passed = (datetime.now(UTC) - timedelta(minutes=2, seconds=30)).isoformat()
    session = api.add_session(phase="cleaning_up", outcome=None, ended_at=None, expires_at=passed)
    shown = " ".join(run("show", session["id"])[1].split())
    assert re.search(r"removed not yet: its deadline passed at \S+ \S+ \w+, 2m 3\ds ago", shown)


def test_a_session_in_the_queue_shows_its_number(run, api):
    session = api.add_session(phase="requested", outcome=None, queue_position=1, expires_at=None)
    assert "number 1; it starts automatically" in run("show", session["id"])[1]
    assert "number 1 in queue" in run("list")[1]


def test_a_session_that_is_not_accepted_yet_shows_what_it_waits_for(run, api, monkeypatch):
    monkeypatch.setattr("dryrun_cli.live.watch.EXPLAIN_SECONDS", 0.05)
    api.statuses = []
    session = api.add_session(
        phase="requested", outcome=None, reason="the orchestrator does not answer; it is asked again"
    )
    api.end_after(session, 3)
    code, stdout, _ = run("watch", session["id"])
    assert code == 1
    assert stdout.count("the orchestrator does not answer; it is asked again") == 1


def test_a_session_in_the_orchestrators_queue_shows_what_it_waits_for(run, api, monkeypatch):
    monkeypatch.setattr("dryrun_cli.live.watch.EXPLAIN_SECONDS", 0.05)
    session = api.add_session(phase="queued", outcome=None, reason="4d2a63f1 (kept, by ada) holds the place")
    api.record_all(session, recorded_session.small()[:1])
    api.end_after(session, 3)
    code, stdout, _ = run("watch", session["id"])
    assert code == 1
    assert stdout.count("4d2a63f1 (kept, by ada) holds the place") == 1


def test_what_a_session_waits_for_is_told_once_where_an_event_says_it_too(run, api, monkeypatch):
    monkeypatch.setattr("dryrun_cli.live.watch.EXPLAIN_SECONDS", 0.05)
    said = "waiting for a host that it fits on: alpha is drained"
    session = api.add_session(phase="queued", outcome=None, reason=said)
    event = (0.0, {"type": "phase_changed", "phase": "queued", "reason": said})
    api.record_all(session, [*recorded_session.small()[:1], event])
    api.end_after(session, 3)
    code, stdout, _ = run("watch", session["id"])
    assert (code, stdout.count(said)) == (1, 1)


def test_lost_connections_are_reported_and_restored(run, api):
    session = api.add_session()
    api.record_all(session, recorded_session.small())
    api.break_after = [4]
    code, stdout, _ = run("watch", session["id"])
    assert code == 0
    assert "Connection lost, reconnecting (attempt 1)" in stdout
    assert stdout.count("phase      waiting\n") == 1
