"""What a target says cannot move the cursor or colour the terminal: every command, terminal and pipe."""

import json

import pytest
import recorded_session
from recorded_session import HOSTILE
from terminal_text import steering

ESCAPED = "\\x1b[2J\\x1b[31mred"


@pytest.fixture
def hostile_session(api):
    session = api.add_session(
        HOSTILE, outcome="failed", reason=HOSTILE, requested_by=HOSTILE, template_digest=HOSTILE
    )
    api.record_all(session, recorded_session.hostile())
    return session


COMMANDS = [
    ("templates",),
    ("list",),
    ("show", "last"),
    ("events", "last"),
    ("events", "last", "--follow"),
    ("watch", "last"),
    ("watch", "last", "--plain"),
    ("stop", "last"),
    ("report", "last"),
    ("report", "last", "--format", "markdown"),
    ("report", "last", "--format", "html"),
    ("report", "last", "--format", "csv"),
    ("report", "last", "--format", "json"),
    ("start", "hostile", "--watch"),
]
JSON_COMMANDS = [command for command in COMMANDS if "--plain" not in command and "--format" not in command]


def assert_inert(output):
    assert steering(output) == []
    assert "\x1b[31mred" not in output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_pipe_gets_no_control_characters(run, hostile_session, command):
    _, stdout, stderr = run(*command)
    assert "\x1b" not in stdout + stderr
    assert "\r" not in stdout + stderr
    assert_inert(stdout + stderr)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_terminal_gets_only_our_own_sequences(on_terminal, hostile_session, command):
    _, output = on_terminal(*command, size=(50, 120))
    assert_inert(output)


@pytest.mark.parametrize("command", JSON_COMMANDS, ids=" ".join)
def test_json_is_ascii_on_a_terminal(on_terminal, hostile_session, command):
    _, output = on_terminal("--json", *command)
    assert output.isascii()
    assert_inert(output)
    assert "\x1b" not in output


@pytest.mark.parametrize(
    "command", [("templates",), ("show", "last"), ("events", "last"), ("report", "last")]
)
def test_markup_and_emoji_names_stay_text(run, hostile_session, command):
    _, stdout, _ = run(*command, COLUMNS="1000")
    assert ESCAPED in stdout
    assert "[bold red]markup[/] :smile:" in stdout


def test_json_loses_nothing(run, hostile_session):
    _, stdout, _ = run("--json", "show", "last")
    assert json.loads(stdout)["reason"] == HOSTILE


def test_a_report_file_is_as_inert_as_the_screen(run, hostile_session, tmp_path):
    run("report", "last", "--output", tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# Dry-run report\n")
    assert ESCAPED in text
    assert_inert(text)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_refusal_is_as_inert_as_an_answer(run, on_terminal, api, arguments):
    faults = [{"where": HOSTILE, "what": HOSTILE}]
    api.statuses = [(403, HOSTILE, faults), (403, HOSTILE, faults), (500, HOSTILE, faults)]
    code, stdout, stderr = run(*arguments, "templates")
    assert (code, stdout) == (4, "")
    assert ESCAPED in stderr or "\\u001b" in stderr
    assert_inert(stderr)
    code, output = on_terminal(*arguments, "templates")
    assert code == 4
    assert_inert(output)
    code, _, stderr = run(*arguments, "templates")
    assert code == 3
    assert_inert(stderr)


def test_an_ambiguous_answer_does_not_echo_raw_arguments(on_terminal, api):
    code, output = on_terminal("show", "\x1b[31mred")
    assert code == 2
    assert_inert(output)
