"""Schedules on the command line: made from an experiment's file, listed, paused, removed."""

import json

import pytest

FILE = "templates: [small]\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "nightly.yml"
    path.write_text(FILE)
    return path


def add(run, file, *more):
    return run("schedule", "add", file, "--cron", "30 2 * * 1-5", "--timezone", "Europe/Berlin", *more)


def test_an_experiments_file_becomes_a_schedule(run, api, file):
    code, out, err = add(run, file)
    assert (code, err.startswith("Scheduled. It is due at 2026-")) == (0, True)
    (made,) = api.schedules.values()
    assert out.strip() == made["id"]
    assert made["request"]["cron"] == "30 2 * * 1-5"
    assert made["request"]["experiment"]["name"] == "nightly"


def test_a_wrong_expression_is_named_before_anything_is_sent(run, api, file):
    code, _, err = run("schedule", "add", file, "--cron", "at night")
    assert (code, "--cron: expected five fields" in err, api.schedules) == (2, True, {})


def test_the_list_and_one_schedule_say_when_and_what_became_of_it(run, api, file):
    add(run, file)
    _, out, _ = run("schedule", "list")
    assert "nightly" in out
    assert "30 2 * * 1-5 Europe/Berlin" in out
    (made,) = api.schedules.values()
    made["firings"] = [
        {"due_at": "2026-11-27T01:30:00Z", "state": "failed", "reason": "no \x1b[31mroom", "experiment": None}
    ]
    _, out, _ = run("schedule", "show", made["id"][:8])
    assert "2026-11-27 01:30" in out
    assert "failed" in out
    assert "\x1b" not in out


def test_one_schedule_shows_what_is_repeated_and_how_it_scans(run, api, file):
    file.write_text("templates: [small, large]\nseeds: [0, 1, 2]\nrates: [500, 2000]\n")
    add(run, file)
    (made,) = api.schedules.values()
    out = run("schedule", "show", made["id"][:8])[1]
    assert "small, large, 3 seeds, 1 repetition; ways to scan: 500/s, 2000/s" in " ".join(out.split())


def test_one_that_ends_with_a_token_says_so(run, api, file):
    api.token_ends_at = "2027-02-28T10:00:00Z"
    assert "It pauses when this token ends, 2027-02-28 10:00 UTC." in add(run, file)[2]
    (made,) = api.schedules.values()
    _, out, _ = run("schedule", "show", made["id"][:8])
    assert "until the token that made or resumed it ends, 2027-02-28 10:00" in " ".join(out.split())


def test_a_schedule_is_paused_resumed_and_removed(run, api, file):
    add(run, file)
    (made,) = api.schedules.values()
    assert "fires no more" in run("schedule", "pause", made["id"][:8])[1]
    assert "paused" in run("schedule", "list")[1]
    assert "fires again" in run("schedule", "resume", made["id"][:8])[1]
    assert "is removed" in run("schedule", "remove", made["id"][:8])[1]
    assert "No schedules yet" in run("schedule", "list")[1]


def test_a_removal_is_json_on_request(run, api, file):
    add(run, file)
    (made,) = api.schedules.values()
    assert json.loads(run("schedule", "remove", made["id"], "--json")[1]) == {"removed": made["id"]}


def test_programs_get_json(run, api, file):
    code, out, _ = add(run, file, "--json")
    assert (code, json.loads(out)["request"]["timezone"]) == (0, "Europe/Berlin")


def test_an_unknown_id_says_where_ids_are(run, api):
    code, _, err = run("schedule", "show", "abc")
    assert (code, "see: dryrun schedule list" in err) == (4, True)
