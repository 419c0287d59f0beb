"""Production on the command line: discoveries, decisions, scans and changes."""

import json
from datetime import UTC, datetime, timedelta

import pytest


def test_the_list_says_what_happened_and_steers_no_terminal(run, api):
    api.production = [
        {
            "id": 7,
            "revision": 2,
            "change": "gone",
            "status": "pending",
            "kind": "service",
            "key": "10.213.0.1:22/tcp/\x1b[31m",
            "collector": "network",
            "found_at": "2026-11-27T00:00:00Z",
            "last_seen_at": "2026-11-28T00:00:00Z",
        }
    ]
    code, out, _ = run("production", "list", "--change", "gone")
    assert (code, api.questions[-1]) == (0, {"limit": ["50"], "change": ["gone"], "status": ["pending"]})
    assert "gone" in out
    # As the page calls it and sorts by it: newest first.
    head, row = out.splitlines()
    assert head.endswith("  COLLECTOR  FOUND (UTC)")
    assert row.startswith("7:2 ")
    assert row.endswith("  2026-11-27 00:00")
    assert "\x1b" not in out
    assert json.loads(run("production", "list", "--all", "--json")[1])[0]["id"] == 7
    assert "status" not in api.questions[-1]


def test_only_a_list_of_open_discoveries_points_to_those_that_are_decided(run):
    hint = " Without --all, only open ones are listed."
    assert run("production", "list")[1] == f"No matching discovery.{hint}\n"
    for chosen in (("--happened", "gone"), ("--all",), ("--status", "approved")):
        assert run("production", "list", *chosen)[1] == "No matching discovery.\n", chosen


def test_what_changes_counts_can_be_listed_in_any_state(run, api):
    assert run("production", "list", "--happened", "gone", "--days", "7")[0] == 0
    asked = api.questions[-1]
    assert (asked["happened"], "status" in asked) == (["gone"], False)
    since = datetime.fromisoformat(asked["since"][0])
    assert timedelta(days=7) <= datetime.now(UTC) - since < timedelta(days=7, minutes=1)
    run("production", "list", "--happened", "new", "--status", "pending")
    assert (api.questions[-1]["status"], api.questions[-1]["happened"]) == (["pending"], ["new"])


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (("--days", "3"), "'--days': it needs --happened"),
        (("--happened", "new", "--days", "0"), "'--days': must be at least 1, not '0'"),
        (("--happened", "new", "--days", "367"), "'--days': must be at most 366, not '367'"),
        (("--happened", "new", "--days", "many"), "'--days': must be a whole number, not 'many'"),
        (
            ("--happened", "found"),
            "'--happened': 'found' is not one of 'new', 'changed', 'gone', 'returned'.",
        ),
        (("--all", "--status", "approved"), "'--all': choose one"),
        (("--limit", "-1"), "must be at least 1, not '-1'"),
    ],
)
def test_a_wrong_choice_is_refused_in_words_of_this_command(run, api, chosen, words):
    code, _, err = run("production", "list", *chosen)
    assert (code, api.questions) == (2, [])
    assert words in err
    assert "Value error" not in err
    assert "Input should" not in err


def test_a_decision_names_what_was_seen_and_reports_what_has_changed_since(run, api):
    api.production = [{"id": 7, "revision": 2}, {"id": 8, "revision": 3}]
    assert run("production", "approve", "7:2", "--note", "a lab host") == (0, "1 approved.\n", "")
    assert api.decisions[-1] == {
        "decision": "approved",
        "note": "a lab host",
        "discoveries": [{"id": 7, "revision": 2}],
    }
    code, out, err = run("production", "reject", "7:2", "8:2", "9:1")
    assert (code, out, api.decisions[-1]["decision"]) == (4, "1 rejected.\n", "rejected")
    assert "8 has changed since that revision" in err
    assert "There is no discovery 9" in err
    assert run("production", "reopen", "8:3") == (0, "1 open again.\n", "")
    assert json.loads(run("production", "approve", "8:3", "--json")[1])["decided"] == [8]
    sent = len(api.decisions)
    for wrong in ("8", "8:x", "8:3:1", ":1", "1_0:1", "\uff11:1", "8:3\n", "9" * 17 + ":1"):
        code, _, err = run("production", "approve", wrong)
        assert (code, "not an ID:REVISION" in err) == (2, True)
    assert len(api.decisions) == sent


def test_scans_are_listed(run, api, tmp_path):
    assert "No scans yet" in run("production", "scans")[1]
    path = tmp_path / "found.ndjson"
    path.write_text('{"type": "end", "discoveries": 0}\n')
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    assert run("production", "report", path, *how)[0] == 0
    out = run("production", "scans")[1]
    assert "10.213.0.0/16" in out
    assert "complete" in out


def test_changes_are_counted_by_kind(run, api):
    assert "Nothing since" in run("production", "changes")[1]
    api.changes = [
        {"change": "gone", "kind": "host", "count": 2},
        {"change": "new", "kind": "host", "count": 1200},
        {"change": "new", "kind": "\x1b[31m", "count": 1},
    ]
    code, out, _ = run("production", "changes", "--days", "7")
    assert (code, out.splitlines()[2].split()) == (0, ["host", "1,200", "0", "2", "0"])
    assert "\x1b" not in out
    counted = (("changed", "service"), ("new", "host"))
    api.changes = [{"change": change, "kind": kind, "count": 1} for change, kind in counted]
    out = run("production", "changes")[1]
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["host", "service"]
