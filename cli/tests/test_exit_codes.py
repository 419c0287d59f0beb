import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from terminal_text import DRYRUN

from dryrun_cli.exit_codes import ExitCode


@pytest.fixture
def criteria(tmp_path):
    def criteria(text):
        path = tmp_path / "criteria.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return criteria


def test_a_completed_session_is_0(run):
    code, stdout, _ = run("start", "small", "--watch")
    assert code == ExitCode.OK == 0
    assert "Report of" in stdout


def test_starting_without_watching_prints_the_id_alone(run, api):
    code, stdout, stderr = run("start", "small", "--seed", "7", "--keep")
    assert (code, stderr) == (0, "")
    (session,) = api.sessions.values()
    assert stdout == f"{session['id']}\n"
    assert (session["seed"], session["keep"]) == (7, True)


def test_a_failed_session_is_1_and_says_why(run):
    code, stdout, _ = run("start", "failing", "--watch")
    assert code == ExitCode.NOT_COMPLETED == 1
    assert "docs did not become healthy within 60 s" in stdout


def test_a_session_stopped_by_somebody_else_is_1(run, api):
    session = api.add_session(outcome="stopped", reason="asked for by eve")
    assert run("watch", session["id"])[0] == 1


def test_a_session_that_ended_without_an_outcome_counts_as_failed(run, api):
    session = api.add_session(outcome=None)
    code, stdout, _ = run("watch", session["id"])
    assert (code, "failed" in stdout) == (1, True)


def test_met_criteria_are_0_and_unmet_ones_5(run, criteria):
    code, stdout, _ = run("start", "small", "--watch", "--criteria", criteria("overall: {recall_min: 0.5}"))
    assert code == 0
    assert "Criteria met: 1 of 1" in stdout
    code, stdout, _ = run("start", "small", "--watch", "--criteria", criteria("overall: {recall_min: 0.99}"))
    assert code == ExitCode.CRITERIA_NOT_MET == 5
    assert "overall.recall_min  0.93, at least 0.99 required" in stdout


@pytest.mark.parametrize("form", [(), ("--format", "markdown"), ("--format", "json"), ("--json",)])
def test_a_report_judged_by_criteria_has_the_same_codes(run, api, criteria, form):
    api.add_session()
    assert run("report", "last", "--criteria", criteria("overall: {recall_min: 0.5}"), *form)[0] == 0
    assert run("report", "last", "--criteria", criteria("overall: {recall_min: 0.99}"), *form)[0] == 5


def test_a_report_that_is_written_to_a_file_says_whether_the_criteria_are_met(run, api, criteria, tmp_path):
    api.add_session()
    how = ("--criteria", criteria("overall: {recall_min: 0.99}"), "--output", tmp_path / "report.html")
    code, out, err = run("report", "last", *how)
    assert (code, out, err) == (5, "", "Not met: overall.recall_min: 0.93, at least 0.99 required\n")
    how = ("--criteria", criteria("overall: {recall_min: 0.5}"), "--output")
    assert run("report", "last", *how, tmp_path / "report.html") == (0, "", "Criteria met: 1 of 1\n")
    assert run("report", "last", *how, "-")[2] == ""
    assert run("report", "last", "--output", tmp_path / "report.html") == (0, "", "")


@pytest.mark.parametrize("template", ["small", "failing"])
def test_json_watching_keeps_the_codes(run, criteria, template):
    arguments = (
        "--json",
        "start",
        template,
        "--watch",
        "--criteria",
        criteria("overall: {recall_min: 0.99}"),
    )
    code, stdout, _ = run(*arguments)
    assert code == {"small": 5, "failing": 1}[template]
    *events, last = map(json.loads, stdout.splitlines())
    assert all("seq" in event for event in events)
    assert (last["type"], last["verdict"]["passed"]) == ("verdict", False)
    assert [result["criterion"] for result in last["verdict"]["results"]] == ["overall.recall_min"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explode",), "No such command"),
        (("start",), "Missing argument"),
        (("start", "small", "--seed", "10000"), "9999"),
        (("start", "Small; rm"), "not a template id"),
        (("start", "small", "--criteria", "x.yml"), "--watch"),
        (("start", "small", "--watch", "--criteria", "/nonexistent/x.yml"), "cannot read the criteria file"),
        (("start", "small", "--watch", "--criteria", "/nonexistent/x.yml"), "(see: dryrun criteria)"),
        (
            ("experiment", "run", "/nonexistent/x.yml"),
            "expected at least TEMPLATES, as in templates: [small]",
        ),
        (("experiment", "show", "zz"), "'zz' is not the id of an experiment"),
        (("report", "last", "--format", "pdf"), "markdown, html, csv, json"),
        (("show", "zzz"), "not a session id"),
        (("--api-url", "ftp://x", "list"), "--api-url"),
        (("list", "--api-url", "http://[", "-n", "1"), "--api-url"),
    ],
)
def test_a_usage_error_is_2_and_says_what_is_wrong(run, api, arguments, message):
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (ExitCode.USAGE, "")
    assert message in stderr
    assert not api.sessions


@pytest.mark.parametrize(
    "content", ["recal_min: 0.5", "- 1", "a: [", "{", "", "overall: {recall_min: 2026-01-01}", "\x00"]
)
def test_invalid_criteria_are_2_before_a_session_starts(run, api, criteria, content):
    code, _, stderr = run("start", "small", "--watch", "--criteria", criteria(content))
    assert code == 2
    assert "criteria.yml" in stderr
    assert not api.sessions


def test_invalid_criteria_for_a_report_are_2(run, api, criteria):
    api.add_session()
    code, _, stderr = run("report", "last", "--criteria", criteria("recal_min: 0.5"))
    assert code == 2
    assert "criteria.yml: recal_min: is not known here" in stderr


def test_an_unreachable_api_is_3_and_its_address_is_shown(run):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        code, _, stderr = run("list", "--api-url", url)
    assert code == ExitCode.UNREACHABLE == 3
    assert url in stderr
    assert "(connection refused)" in stderr


@pytest.mark.parametrize(
    ("scheme", "answer", "why"),
    [
        ("http", None, "broke (connection reset by peer); check that this is the address"),
        ("http", None, "if it is, the API has just ended or is starting"),
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "(it does not speak TLS; is its address http://?)"),
    ],
)
def test_what_is_not_the_api_is_told_in_words_of_the_system(run, scheme, answer, why):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once():
            connection, _ = server.accept()
            connection.recv(1)  # what is left unread resets the connection when it is closed
            if answer is not None:
                connection.sendall(answer)
                connection.recv(65536)
            connection.close()

        answering = threading.Thread(target=answer_once)
        answering.start()
        code, _, stderr = run("list", "--api-url", f"{scheme}://127.0.0.1:{server.getsockname()[1]}")
        answering.join()
    assert (code, why in stderr) == (3, True)


def test_a_host_that_nobody_knows_is_told_so(run):
    code, _, stderr = run("list", "--api-url", "http://nowhere.invalid")
    assert code == 3
    assert "Errno" not in stderr


def test_a_failing_api_is_3(run, api):
    api.statuses = [(503, "the database does not answer")]
    code, _, stderr = run("list")
    assert code == 3
    assert "the database does not answer" in stderr


def test_refusals_are_4(run, api):
    assert run("list", DRYRUN_API_TOKEN="wrong")[0] == ExitCode.REFUSED == 4
    code, _, stderr = run("start", "unknown")
    assert code == 4
    assert "known are: small" in stderr
    api.statuses = [(501, "this deployment has no dry-run")]
    code, _, stderr = run("list")
    assert code == 4
    assert "this deployment has no dry-run" in stderr


def test_the_faults_of_a_refusal_stand_on_lines_of_their_own_once(run, api):
    faults = [{"where": f"templates/mine.yml:{line}", "what": f"is wrong {'x' * 400}"} for line in (3, 7)]
    api.statuses = [(422, "the template 'mine' is not valid: 2 problems\nsecond line\x1b[2J", faults)]
    code, _, stderr = run("start", "mine")
    assert code == 4
    assert "\x1b" not in stderr
    assert "\\x0a" not in stderr
    lines = stderr.splitlines()
    assert lines[0] == "error: the template 'mine' is not valid: 2 problems"
    assert [line.strip() for line in lines if "is wrong" in line] == [
        f"{fault['where']}: {fault['what']}" for fault in faults
    ]


def test_a_missing_token_names_the_variable(run):
    code, _, stderr = run("list", DRYRUN_API_TOKEN="")
    assert code == 4
    assert stderr.startswith("error: the approval API requires a token, and none is set\n")
    assert "DRYRUN_API_TOKEN" in stderr


def test_a_token_is_read_from_a_file(run, environment, tmp_path):
    (tmp_path / "token").write_text(environment.pop("DRYRUN_API_TOKEN") + "\n", encoding="utf-8")
    assert run("list", DRYRUN_API_TOKEN_FILE=str(tmp_path / "token"), DRYRUN_API_TOKEN=None)[0] == 0


def test_an_unknown_session_is_named_with_the_command_that_lists_them(run):
    unknown = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    code, _, stderr = run("show", unknown)
    assert code == 4
    assert stderr.splitlines()[0] == f"error: there is no session {unknown}; see: dryrun list"


def test_errors_are_json_with_the_option_json(run):
    code, stdout, stderr = run("--json", "show", "abc")
    assert (code, stdout) == (4, "")
    assert json.loads(stderr)["exit_code"] == 4
    assert json.loads(stderr)["status"] == 404


@pytest.mark.parametrize("arguments", [["list"], ["show", "last"], ["report", "last"], ["--json", "list"]])
def test_a_reader_that_is_gone_is_141_whatever_draws_the_output(environment, api, arguments):
    api.add_session()
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    found = subprocess.run(
        [DRYRUN, *arguments],
        env=environment,
        stdout=writing_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing_end)
    assert (found.returncode, found.stderr) == (ExitCode.PIPE_CLOSED, "")


def test_a_reader_that_goes_away_is_141(environment, api):
    api.record_all(
        api.add_session(), [(0.0, {"type": "phase_changed", "phase": "queued", "reason": "x" * 300})] * 2000
    )
    command = f"{DRYRUN} events last | head -1; echo ${{PIPESTATUS[0]}}"
    found = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.splitlines()[-1] == "141"
    assert found.stderr == ""


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["list"], ["--json", "list"], ["events", "last"]]
)
def test_output_that_cannot_be_written_is_no_defect(environment, api, arguments):
    api.record_all(api.add_session(), [(0.0, {"type": "phase_changed", "phase": "queued"})] * 2000)
    with Path("/dev/full").open("wb") as full:
        found = subprocess.run(
            [DRYRUN, *arguments], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    said = "error: the output cannot be written: No space left on device\n"
    assert (found.returncode, found.stderr) == (ExitCode.USAGE, said)


def started(environment, *arguments):
    return subprocess.Popen(
        [DRYRUN, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition):
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_while_watching_stops_the_session_and_sees_its_cleanup(environment, api):
    api.speed = 2
    process = started(environment, "start", "small", "--watch")
    wait_for(lambda: any(len(events) > 5 for events in api.events.values()))
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED == 130
    (session,) = api.sessions.values()
    assert ("POST", f"/api/v1/dryrun/sessions/{session['id']}/stop") in api.requests
    assert "session    ended: stopped" in stdout
    assert session["outcome"] == "stopped"


def test_a_second_ctrl_c_leaves_at_once(environment, api):
    api.speed = 2
    api.deny_stop = True
    process = started(environment, "start", "small", "--watch")
    wait_for(lambda: any(len(events) > 3 for events in api.events.values()))
    process.send_signal(signal.SIGINT)
    assert any("The session is stopping" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=5)
    assert process.returncode == 130
    assert "It is being stopped" in stderr


@pytest.mark.parametrize("how", ["without an answer", "refused"])
def test_who_leaves_before_the_stop_is_accepted_is_told_that_the_session_may_go_on(environment, api, how):
    api.speed = 2
    api.keep_stops_waiting = how == "without an answer"
    process = started(environment, "start", "small", "--watch")
    wait_for(lambda: any(len(events) > 3 for events in api.events.values()))
    if how == "refused":
        api.statuses.append((403, "this token may not stop it"))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: any(path.endswith("/stop") for _, path in api.requests))
    if how == "refused":
        assert any("did not stop the session" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=5)
    assert process.returncode == 130
    (session_id,) = api.sessions
    assert "being stopped" not in stderr
    assert f"It may continue, since the API has not accepted the stop: dryrun stop {session_id}" in stderr


@pytest.mark.parametrize("command", [("watch",), ("events", "last", "--follow")])
def test_ctrl_c_leaves_a_session_that_is_only_watched(environment, api, command):
    session = api.add_session(phase="scanning", outcome=None)
    api.record_all(session, [(0.0, {"type": "phase_changed", "phase": "scanning"})])
    process = started(environment, *command)
    wait_for(lambda: api.last_event_ids)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    assert not any(path.endswith("/stop") for _, path in api.requests)


def test_sigterm_leaves_with_143(environment, api):
    api.add_session(phase="scanning", outcome=None)
    process = started(environment, "watch")
    wait_for(lambda: api.last_event_ids)
    time.sleep(0.3)
    process.terminate()
    process.communicate(timeout=5)
    assert process.returncode == ExitCode.TERMINATED == 143


def test_ctrl_c_elsewhere_is_130_without_a_traceback(environment, api):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        process = started(environment, "list", "--api-url", url)
        connection, _ = mute.accept()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=5)
        connection.close()
    assert process.returncode == 130
    assert "Traceback" not in stderr
