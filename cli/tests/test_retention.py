"""Retention on the command line: the policy, and what it removed."""

import json


def test_the_policy_and_what_it_removed_are_shown(run, api):
    code, out, _ = run("retention")
    assert (code, api.requests) == (0, [("GET", "/api/v1/retention")])
    assert "dry-runs          90 days" in out
    assert "the audit log     ever" in out
    assert "Nothing was removed" in out
    what = "events of session 1, ended more than 90 days ago\x1b[31m"
    api.removed = [{"id": 1, "at": "2026-11-27T02:30:00Z", "object": what, "detail": "8 removed"}]
    last = run("retention")[1].splitlines()[-1]
    assert last.startswith("2026-11-27 02:30  8         events of session 1, ended")
    assert "\x1b" not in last
    assert json.loads(run("retention", "--json")[1])["sessions_days"] == 90
