"""Stored criteria on the command line, and the verdict that a session has of its own."""

import json

import pytest


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "nightly.yml"
    path.write_text("overall: {recall_min: 0.9}\n")
    return path


def test_criteria_are_stored_listed_shown_chosen_and_removed(run, api, file):
    code, out, _ = run("criteria", "store", "nightly", file)
    assert (code, out) == (0, "Stored nightly; to use them: --judged-by nightly.\n")
    assert "the default" in run("criteria", "store", "weekly", file, "--default")[1]
    _, out, _ = run("criteria", "list")
    assert [line.split()[:2] for line in out.splitlines()[2:]] == [["weekly", "default"]]
    assert "\x1b" not in out
    assert run("criteria", "show", "nightly")[1] == "overall:\n  recall_min: 0.9\n"
    assert "judged by nightly" in run("criteria", "default", "nightly")[1]
    assert api.criteria["nightly"]["is_default"]
    assert run("criteria", "remove", "nightly")[1] == "Removed nightly.\n"
    assert run("criteria", "show", "nightly")[0] == 4


def test_without_more_the_default_criteria_are_printed_as_a_file(run):
    assert "recall_min: 0.8" in run("criteria")[1]
    assert json.loads(run("--json", "criteria")[1])["targets_harmed_max"] == 0
    assert json.loads(run("criteria", "list", "--json")[1]) == {"sets": []}


@pytest.mark.parametrize("name", ["../x", "Up", "-x", "", "x" * 41, "\x1b[31m"])
def test_what_can_name_no_criteria_is_never_sent(run, api, file, name):
    code, _, err = run("criteria", "store", "--", name, file)
    assert (code, api.requests) == (2, [])
    assert "\x1b" not in err


def test_faults_of_a_file_are_named(run, file):
    file.write_text("recal_min: 1\n")
    code, _, err = run("criteria", "store", "nightly", file)
    assert (code, ": recal_min: is not known here" in err) == (2, True)


def test_a_session_started_by_stored_criteria_ends_with_their_verdict(run):
    code, out, _ = run("start", "small", "--watch", "--judged-by", "nightly")
    assert (code, "Criteria not met" in out) == (5, True)
    code, out, _ = run("--json", "start", "small", "--watch", "--judged-by", "nightly")
    last = json.loads(out.splitlines()[-1])
    assert (code, last["type"], last["verdict"]["passed"]) == (5, "verdict", False)
    assert run("start", "small", "--judged-by", "No name")[0] == 2


def test_watching_shows_the_verdict_that_the_list_shows_and_its_code_only_on_request(run, api):
    code, out, _ = run("start", "small", "--watch")
    assert (code, "Criteria not met" in out) == (0, True), "nobody chose the criteria"
    session = api.add_session()
    code, out, _ = run("watch", session["id"])
    assert (code, "Criteria not met" in out) == (0, True)


def test_a_report_has_the_verdict_of_its_session_on_request(run, api):
    session = api.add_session()
    assert run("report", session["id"])[0] == 0
    code, out, _ = run("report", session["id"], "--judged")
    assert (code, "Criteria not met" in out) == (5, True)
    assert api.questions[-1] == {"judged": "true"}


def test_one_session_shows_its_verdict_and_what_it_is_judged_by(run, api):
    session = api.add_session(criteria="nightly", figures={"recall": 0.5, "passed": False})
    assert "failed by nightly" in run("show", session["id"])[1]
    unscored = api.add_session(criteria="nightly")
    assert "none; criteria: nightly" in run("show", unscored["id"])[1]
    running = api.add_session(criteria="nightly", phase="scanning", outcome=None, ended_at=None)
    shown = " ".join(run("show", running["id"])[1].split())
    assert "none yet: it is judged once it has ended; criteria: nightly" in shown


def test_a_kept_session_says_when_it_is_judged(run, api):
    kept = api.add_session(phase="kept", outcome=None)
    shown = " ".join(run("show", kept["id"])[1].split())
    assert "judged once it has ended, at its deadline at the latest; for now: " in shown
    assert f"dryrun report {kept['id'][:8]} --judged;" in shown
