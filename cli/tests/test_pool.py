import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from recorded_session import HOSTILE

PREPARED_AT = datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC)


def line(template="small", seed=0, ready=0, **more):
    now = datetime.now(UTC)
    prepared = [
        {
            "id": str(uuid4()),
            "prepared_at": now.isoformat(),
            "expires_at": (now + timedelta(minutes=29)).isoformat(),
        }
        for _ in range(ready)
    ]
    return {"template": template, "seed": seed, "wanted": 1, "ready": prepared, "preparing": 0, **more}


def test_the_pool_is_listed_with_what_it_lacks_and_why(api, run):
    note = "1024 MiB of memory are available, 3584 MiB are needed"
    api.pool = {"lines": [line(ready=1), line("large", seed=1000, preparing=1), line("medium", note=note)]}
    code, out, _ = run("list", "--pool", COLUMNS="80")
    assert code == 0
    small, large, medium = out.splitlines()[1:4]
    assert "small" in small
    assert "1 of 1" in small
    assert re.search(r", in (28m|29m|30m)", small)
    assert "large seed 1000" in large
    assert "0 of 1" in large
    assert "0 of 1" in medium
    assert f"medium: {note}" in out
    assert run("list", "--pool", "--json")[1].count('"wanted"') == 3


def test_networks_for_any_template_are_named_as_such(api, run):
    api.pool = {"lines": [line("*", ready=1)]}
    code, out, _ = run("list", "--pool", COLUMNS="80")
    assert (code, out.splitlines()[1].startswith("any template: network")) == (0, True)


def test_hosts_with_long_names_are_told_apart(api, run):
    hosts = [f"rack-7-of-the-north-building-{number:02}" for number in (1, 2)]
    api.pool = {"lines": [line("custom-db-heavy", seed=1000, host=host) for host in hosts]}
    rows = run("list", "--pool", COLUMNS="120")[1].splitlines()[1:3]
    assert [row.partition("  ")[0] for row in rows] == [
        f"custom-db-heavy seed 1000 on {host}" for host in hosts
    ]


def test_an_empty_pool_says_what_would_fill_it(api, run):
    assert "ORCHESTRATOR_POOL" in run("list", "--pool")[1]


def test_a_note_cannot_speak_to_the_terminal(api, run):
    api.pool = {"lines": [line(note=HOSTILE[:400])]}
    out = run("list", "--pool")[1]
    assert not any(ord(sign) < 32 and sign != "\n" for sign in out)


def test_a_session_says_that_it_was_prepared_and_what_that_means_for_its_deadline(api, run):
    session = api.add_session(phase="scanning", outcome=None, prepared_at=PREPARED_AT.isoformat())
    out = run("show", session["id"])[1]
    assert "its deadline counts from then" in out
    queued = {
        "type": "session_queued", "template": "small", "template_digest": "sha256:d", "seed": 0,
        "keep": False, "actor": "ada", "prepared_at": PREPARED_AT.isoformat(),
    }  # fmt: skip
    api.record(session, queued)
    session["phase"] = "ended"
    assert "prepared ahead at" in run("events", session["id"])[1]
