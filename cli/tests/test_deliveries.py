"""Destinations and deliveries on the command line."""

import json
import subprocess

import deliveries_api
import pytest
from terminal_text import DRYRUN

from dryrun_cli.commands import deliveries
from dryrun_cli.exit_codes import ExitCode


@pytest.fixture
def destination(run, api):
    code, out, err = run(
        "destination",
        "add",
        "cmdb",
        "--kind",
        "webhook",
        "--url",
        "https://hooks.example.com/x",
        "--credential",
        "hook",
        "--only",
        "host",
    )
    assert (code, "dryrun delivery preview cmdb" in out) == (0, True)
    assert "Checked: NetBox 4.3 lists addresses to this token.\n" in out
    assert err == "Checking whether https://hooks.example.com knows hook …\n"
    assert run("destination", "add", "file", "--kind", "csv")[2] == ""
    assert run("destination", "remove", "file")[0] == 0
    (made,) = api.destinations.values()
    return made


def test_a_destination_is_added_listed_and_removed(run, api, destination):
    assert destination["request"]["kinds"] == ["host"]
    _, out, _ = run("destination", "list")
    assert "https://hooks.example.com/x" in out
    assert "passed 2026-11-27 00:00" in out
    assert "is removed" in run("destination", "remove", "cmdb")[1]
    assert "No destinations yet" in run("destination", "list")[1]


def test_a_destination_that_refuses_its_credential_is_1_and_says_why(run, api, destination):
    api.check = {"passed": False, "answer": "HTTP 403: Invalid \x1b[31mtoken"}
    code, out, err = run("destination", "check", "cmdb")
    assert (code, out) == (ExitCode.NOT_COMPLETED, "")
    assert "The check failed: HTTP 403: Invalid \\x1b[31mtoken\n" in err
    assert err.endswith("To check again: dryrun destination check cmdb\n")
    code, out, err = run("destination", "check", "cmdb", "--json")
    assert (code, json.loads(out)["check"]["passed"], err) == (1, False, "")
    listed = run("destination", "list")[1]
    assert "failed 2026-11-27 00:00" in listed
    assert "cmdb: the check failed: HTTP 403: Invalid \\x1b[31mtoken" in listed
    api.check = {"passed": True, "answer": "Diode gives this client a token"}
    assert run("destination", "check", "cmdb")[:2] == (0, "Checked: Diode gives this client a token.\n")


def test_a_check_that_nobody_does_ends_by_itself(run, api, destination, monkeypatch):
    monkeypatch.setattr(deliveries, "CHECK_SECONDS", 0.6)
    api.check = None
    code, _, err = run("destination", "check", "cmdb")
    assert (code, "is the process that delivers running" in err) == (1, True)
    assert "not yet" in run("destination", "list")[1]


def test_an_address_that_is_none_is_refused_in_a_sentence(run):
    address = ("--url", "ftp://hooks.example.com/x", "--credential", "hook")
    code, _, err = run("destination", "add", "cmdb", "--kind", "webhook", *address)
    assert (code, err) == (2, "error: --url: must begin with 'http' or 'https'\n")


def test_an_answer_is_shown_to_its_end_where_its_remedy_is(run, api, destination, monkeypatch):
    answer = (
        "the credential 'hook' is for https://hooks.example.com and shown nowhere else; one for "
        "https://other.example.com is written NAME@https://other.example.com=… in DELIVERY_CREDENTIALS"
    )
    monkeypatch.setitem(deliveries_api.ITEM, "answer", answer)
    run("delivery", "preview", "cmdb")
    (made,) = api.deliveries
    assert answer in " ".join(run("delivery", "show", made[:8])[1].split())
    narrow = run("delivery", "show", made[:8], COLUMNS="80")[1]
    assert "CREDENTIALS" in "".join(narrow.split())


def test_a_removal_is_json_on_request(run, api, destination):
    assert json.loads(run("destination", "remove", "cmdb", "--json")[1]) == {"removed": "cmdb"}


def test_what_is_no_destination_is_named_before_anything_is_sent(run, api):
    code, _, err = run("destination", "add", "x", "--kind", "webhook")
    assert (code, "needs a url and the name of a credential" in err, api.destinations) == (2, True, {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("x", "--kind", "telnet"), "--kind: must be 'webhook', 'netbox', 'diode', 'ndjson', 'csv' or "),
        (("X y", "--kind", "csv"), "NAME: must be 1 to 64 characters of a-z, 0-9, _ and -, the first of a-z"),
        (("x", "--kind", "csv", "--only", "A\x1bb"), "--only: must be 1 to 40 characters of a-z, 0-9 and _,"),
        (
            ("x", "--kind", "netbox", "--url", "host", "--credential", "a"),
            "--url: must be a URL, such as https://host.example\n",
        ),
        (("x", "--kind", "netbox", "--url", "http://u:secret@host", "--credential", "a"), "a URL must not"),
        (
            ("x", "--kind", "netbox", "--url", "http://host", "--credential", "nbt_Secret.secret"),
            "--credential: must be 1 to 64 characters of a-z, 0-9, _ and -, the first of a-z\n",
        ),
    ],
)
def test_each_option_of_a_destination_is_told_what_it_may_be(run, api, words, said):
    code, _, err = run("destination", "add", *words)
    assert (code, err.startswith(f"error: {said}"), api.destinations) == (2, True, {})
    assert "\x1b" not in err
    assert "secret" not in err.lower()


def test_a_preview_that_looks_up_first_says_that_it_cannot_be_approved_yet(run, api, destination):
    first = "Before it can be approved, cmdb is asked what it has: dryrun delivery show "
    assert first not in run("delivery", "preview", "cmdb")[2]
    api.previews = "checking"
    err = run("delivery", "preview", "cmdb")[2]
    assert (err.count(first), "\nTo send it: dryrun delivery approve " in err) == (1, True)


def test_a_delivery_is_previewed_approved_and_shown(run, api, destination):
    code, out, err = run("delivery", "preview", "cmdb")
    assert (code, "Nothing is sent yet" in err) == (0, True)
    assert "3 to create, 1 to change, 0 to remove, 0 left alone, 1,200 unchanged" in out
    assert "\x1b" not in out
    assert "[red]no" in out
    (made,) = api.deliveries
    assert "sending" in run("delivery", "approve", made[:8])[1]
    assert "sending" in run("delivery", "resend", made[:8])[1]
    assert "cmdb" in run("delivery", "list")[1]
    assert json.loads(run("delivery", "show", made[:8], "--json")[1])["items"][0]["key"] == "192.0.2.1:22/tcp"
    assert "tried again" not in run("delivery", "show", made[:8])[1]
    api.deliveries[made]["rests_until"] = "2026-11-27T08:02:20Z"
    assert "it is tried again at 2026-11-27" in " ".join(run("delivery", "show", made[:8])[1].split())
    assert "discarded" in run("delivery", "discard", made[:8])[1]


@pytest.mark.parametrize(
    ("state", "shown"), [("given-up", 1), ("given up", 1), ("dead", 1), ("delivered", 0)]
)
def test_items_are_chosen_by_the_state_that_is_shown(run, api, destination, state, shown):
    run("delivery", "preview", "cmdb")
    (made,) = api.deliveries
    answer = json.loads(run("delivery", "show", made[:8], "--state", state, "--json")[1])
    assert len(answer["items"]) == shown
    assert "given up" in run("delivery", "show", made[:8], "--state", "given-up")[1]


def test_a_file_goes_to_standard_output_or_where_it_is_wanted(run, api, destination, tmp_path):
    run("delivery", "preview", "cmdb")
    (made,) = api.deliveries
    assert "192.0.2.1" in run("delivery", "fetch", made[:8])[1]
    run("delivery", "fetch", made[:8], "--format", "csv", "-o", tmp_path / "x.csv")
    assert "192.0.2.1" in (tmp_path / "x.csv").read_text()
    code, _, err = run("delivery", "fetch", made[:8], "-o", tmp_path / "no" / "x.csv")
    assert (code, "--output" in err) == (2, True)


@pytest.mark.parametrize("command", ["delivery fetch", "report"])
def test_a_file_that_does_not_fit_on_the_disk_stays_as_it_was(
    environment, run, api, destination, tmp_path, command
):
    api.add_session()
    run("delivery", "preview", "cmdb")
    chosen = next(iter(api.deliveries))[:8] if command.startswith("delivery") else "last"
    (tmp_path / "x.csv").write_text("before")
    # No file may grow in it: as on a disk that is full.
    shell = f"ulimit -f 0; exec {DRYRUN} {command} {chosen} -o {tmp_path}/x.csv"
    found = subprocess.run(
        ["sh", "-c", shell], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    said = f"error: --output: cannot write {tmp_path}/x.csv: File too large\n"
    assert (found.returncode, found.stderr) == (2, said)
    assert [(each.name, each.read_text()) for each in tmp_path.glob("*x.csv*")] == [("x.csv", "before")]


def test_unknown_names_and_ids_say_where_they_are_listed(run, api):
    assert "see: dryrun destination list" in run("delivery", "preview", "nowhere")[2]
    assert "see: dryrun delivery list" in run("delivery", "show", "abc")[2]
