import json

import pytest


@pytest.fixture
def sessions(api):
    names = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"]
    return [
        api.add_session(id=name, requested_at=f"2026-01-0{day}T00:00:00Z")
        for day, name in enumerate(names, 1)
    ]


@pytest.mark.parametrize(
    "text", ["last", "LAST", "aaaaaaaa-0000-4000-8000-000000000002", "AAAAAAAA-0000-4000-8000-000000000002"]
)
def test_last_and_whole_ids_find_their_session(run, sessions, text):
    code, stdout, _ = run("--json", "show", text)
    assert code == 0
    assert json.loads(stdout)["id"] == sessions[1]["id"]


def test_an_unambiguous_beginning_is_enough(run, api, sessions):
    other = api.add_session(id="b0000000-0000-4000-8000-000000000003")
    assert json.loads(run("--json", "show", "b")[1])["id"] == other["id"]


def test_an_ambiguous_beginning_lists_its_matches(run, sessions):
    code, _, stderr = run("show", "aaaa")
    assert code == 2
    assert all(session["id"] in stderr for session in sessions)


def test_an_id_without_a_match_is_refused(run, api):
    assert run("show", "abc")[0] == 4
    assert run("show", "last")[0] == 4
    assert run("show", "00000000-0000-4000-8000-000000000009")[0] == 4


@pytest.mark.parametrize("text", ["", "zz", "../x", "a b", "a" * 40])
def test_text_that_is_not_an_id_is_a_usage_error(run, api, text):
    assert run("show", text)[0] == 2
    assert api.requests == []


def test_a_beginning_is_matched_beyond_the_first_page(run, api):
    for number in range(250):
        api.add_session(
            id=f"c{number:07d}-0000-4000-8000-000000000000",
            requested_at=f"2026-01-01T00:{number % 60:02}:00Z",
        )
    oldest = api.add_session(id="dddddddd-0000-4000-8000-000000000000", requested_at="2025-01-01T00:00:00Z")
    assert json.loads(run("--json", "show", "dd")[1])["id"] == oldest["id"]


def test_list_shows_the_newest_first_up_to_the_limit(run, sessions):
    code, stdout, _ = run("list")
    assert code == 0
    assert len(stdout.splitlines()) == 3
    assert json.loads(run("list", "--limit", "1", "--json")[1])[0]["id"] == sessions[1]["id"]


def test_an_empty_list_says_how_to_start(run):
    assert "dryrun start small --watch" in run("list")[1]
