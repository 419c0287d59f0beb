"""Production on the command line: a scan is reported with what it covered, and only a whole one counts."""

import json
import os
import signal
import time
from ipaddress import ip_network
from pathlib import Path
from threading import Thread, Timer

import pytest

from dryrun_cli.commands import production, scan_output

FOUND = [
    {"type": "discovery", "kind": "host", "key": "10.213.0.9"},
    {"type": "progress", "done": 1, "total": 2, "message": "x"},
    {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "data": {"product": "OpenSSH"}},
]
END = {"type": "end", "discoveries": 2}
WARNING = {"type": "warning", "message": "no login"}


@pytest.fixture
def report(run, tmp_path):
    def report(lines, *more):
        path = tmp_path / "found.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
        return run("production", "report", path, *how, *more)

    return report


def test_a_whole_scan_is_reported_with_what_it_covered_and_counts(report, api):
    code, out, err = report([*FOUND, END], "--exclude", "10.213.0.7")
    assert (code, err) == (0, "")
    assert out == "2 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n"
    (scan,) = api.scans
    assert (scan["targets"], scan["excluded"], scan["complete"]) == (
        ["10.213.0.0/16"],
        ["10.213.0.7/32"],
        True,
    )
    (sent,) = api.reported
    assert (sent["collector"], sent["scan"]) == ("network", scan["id"])
    assert [each["key"] for each in sent["discoveries"]] == ["10.213.0.9", "10.213.0.1:22/tcp"]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (FOUND, "did not finish"),
        ([*FOUND, {"type": "end", "discoveries": 3}], "end line promises 3 discoveries, and 2 are there"),
        ([WARNING, *FOUND, END], "warned once"),
        ([WARNING, WARNING, *FOUND, END], "warned 2 times"),
    ],
)
def test_what_a_collector_left_out_makes_nothing_missed(report, api, lines, why):
    code, _, err = report(lines)
    assert (code, why in err, api.scans[0]["complete"]) == (0, True, False)
    if WARNING in lines:
        assert report(lines, "--despite-warnings")[0] == 0
        assert api.scans[1]["complete"] is True


@pytest.mark.parametrize("number", ["NaN", "1e400", "-Infinity"])
def test_a_number_that_json_cannot_hold_is_reported_as_none(run, api, tmp_path, number):
    path = tmp_path / "found.ndjson"
    line = '{"type": "discovery", "kind": "host", "key": "192.0.2.1", "data": {"a": [%s], "b": 1.5}}\n'
    path.write_text(line % number)
    how = ("--collector", "network", "--targets", "192.0.2.0/24", "--profile", "full")
    assert run("production", "report", path, *how)[0] == 0
    assert api.reported[0]["discoveries"][0]["data"] == {"a": [None], "b": 1.5}


@pytest.mark.parametrize("option", ["--targets", "--exclude"])
def test_a_network_with_host_bits_is_refused_as_collectors_do(report, api, option):
    code, _, err = report([*FOUND, END], option, "192.0.2.1/24")
    assert code == 2
    assert err == (
        f"error: {option}: 192.0.2.1/24 has host bits set; write 192.0.2.0/24 for the network "
        "or 192.0.2.1 for the one address\n"
    )
    assert not api.scans


def test_targets_that_hold_nothing_of_the_output_are_refused(run, report, api, tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*FOUND, END]))
    how = ("production", "report", path, "--collector", "network", "--profile", "full")
    code, _, err = run(*how, "--targets", "10.214.0.0/16", "--targets", "fd00::/64")
    assert (code, api.scans) == (2, [])
    assert (
        "has no discovery in 10.214.0.0/16, fd00::/64, and some elsewhere, such as 10.213.0.9;"
        in " ".join(err.split())
    )
    assert run(*how, "--targets", "10.214.0.0/16", "--targets", "10.213.0.1")[0] == 0
    named = [{"type": "discovery", "kind": "host", "key": "printer"}, {"type": "end", "discoveries": 1}]
    assert report(named)[0] == report([{"type": "end", "discoveries": 0}])[0] == 0
    assert len(api.scans) == 3


def test_an_ipv4_address_that_is_written_as_ipv6_lies_in_its_network(run, api, tmp_path):
    path = tmp_path / "found.ndjson"
    found = [
        {"type": "discovery", "kind": "host", "key": "[::ffff:10.213.0.9]"},
        {"type": "end", "discoveries": 1},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in found))
    how = ("--collector", "network", "--profile", "full", "--targets", "10.213.0.0/24")
    assert (run("production", "report", path, *how)[0], len(api.scans)) == (0, 1)


def test_many_targets_are_read_once_whatever_the_output_holds_elsewhere(run, api, tmp_path, monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(production, "exact_network", lambda text: (read.append(text), ip_network(text))[1])
    path = tmp_path / "found.ndjson"
    found = [{"type": "discovery", "kind": "host", "key": f"192.0.2.{host}"} for host in range(1, 101)]
    path.write_text(
        "".join(json.dumps(line) + "\n" for line in [*found, {"type": "end", "discoveries": 100}])
    )
    targets = [f"10.0.{number}.0/24" for number in range(50)]
    given = [word for target in targets for word in ("--targets", target)]
    how = ("--collector", "network", "--profile", "full", *given)
    assert run("production", "report", path, *how)[0] == 2
    assert (read, api.scans) == (targets, [])


def test_a_scan_of_earlier_says_when_it_began(report, api):
    assert report([*FOUND, END], "--began", "2026-11-26T02:30:00+01:00")[0] == 0
    assert api.scans[0]["started_at"] == "2026-11-26T01:30:00Z"
    code, _, err = report([*FOUND, END], "--began", "yesterday")
    assert (code == 0, "--began" in err, len(api.scans)) == (False, True, 1)


def test_what_rules_approved_is_said(report, api):
    api.approved = 2
    assert report([*FOUND, END])[1].startswith(
        "2 new, 0 changed, 0 returned, 0 unchanged; 2 of them approved"
    )


def test_many_are_sent_in_parts(report, api):
    many = [{"type": "discovery", "kind": "host", "key": f"10.213.{n // 250}.{n % 250}"} for n in range(1100)]
    assert report([*many, {"type": "end", "discoveries": 1100}])[0] == 0
    assert [len(each["discoveries"]) for each in api.reported] == [500, 500, 100]
    large = [each | {"data": {"x": "y" * 60_000}} for each in many[:40]]
    assert report([*large, {"type": "end", "discoveries": 40}])[0] == 0
    assert [len(each["discoveries"]) for each in api.reported[3:]] == [17, 17, 6]


def test_only_the_last_line_on_a_resource_is_sent(report, api):
    hosts = [{"type": "discovery", "kind": "host", "key": f"10.213.{n // 250}.{n % 250}"} for n in range(600)]
    first = {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "data": {"name": "ssh"}}
    lines = [first, *hosts, FOUND[2], {"type": "end", "discoveries": 602}]
    assert report(lines)[:2] == (
        0,
        "601 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n",
    )
    sent = [found for each in api.reported for found in each["discoveries"] if found["kind"] == "service"]
    assert [found["data"] for found in sent] == [{"product": "OpenSSH"}]
    assert not any("cut_off" in each for each in api.reported)


def test_what_was_cut_off_is_called_so(report, api):
    assert report(FOUND)[0] == report([WARNING, *FOUND, END])[0] == 0
    assert [each.get("cut_off") for each in api.reported] == [True, None]


def test_a_last_line_that_its_collector_did_not_finish_is_left_out(run, tmp_path, api):
    path = tmp_path / "found.ndjson"
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    lines = [json.dumps(line) for line in FOUND]
    path.write_text("\n".join(lines)[:-20])
    code, _, err = run("production", "report", path, *how)
    assert (code, "did not finish" in err, api.scans[0]["complete"]) == (0, True, False)
    assert [(each["cut_off"], len(each["discoveries"])) for each in api.reported] == [(True, 1)]
    # Nothing that begins so, or goes on after its end, is a collector's.
    for wrong in (lines[0][:-20], "\n".join([*lines, json.dumps(END), lines[0][:-20]])):
        path.write_text(wrong)
        assert "it is not JSON" in run("production", "report", path, *how)[2]


@pytest.fixture
def piped(run, tmp_path):
    def piped(written):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        writer = Thread(target=path.write_bytes, args=(written,))
        writer.start()
        how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
        try:
            return run("production", "report", path, *how)
        finally:
            writer.join(10)

    return piped


def test_what_comes_through_a_pipe_is_kept_until_its_end(piped, api):
    written = "".join(
        json.dumps(line) + "\n" for line in [FOUND[2] | {"data": {}}, *FOUND, END | {"discoveries": 3}]
    )
    assert piped(written.encode())[:2] == (
        0,
        "2 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n",
    )
    assert len(api.reported) == 1


def test_a_pipe_that_is_never_done_is_refused(piped, api, monkeypatch):
    monkeypatch.setattr(scan_output, "MAX_PIPED_BYTES", 100)
    code, _, err = piped(b" " * 200)
    assert (
        code,
        "has more than 100 bytes; write it to a file, and report that" in " ".join(err.split()),
    ) == (2, True)
    assert api.reported == []


@pytest.mark.parametrize("length", [200, 65_536])
def test_a_pipe_that_no_disk_holds_is_refused(piped, api, monkeypatch, length):
    full = Path("/dev/full").open("w+b")  # noqa: SIM115  # closed by what is tested
    monkeypatch.setattr(scan_output, "SpooledTemporaryFile", lambda max_size: full)
    code, _, err = piped(b" " * length)
    assert (code, "No space left on device; write it to a file" in " ".join(err.split())) == (2, True)
    assert full.closed


@pytest.fixture
def interrupted(run):
    """Report a file with one Ctrl-C after a second; return the exit code, and whether that ended it soon."""

    def interrupted(path):
        # Who opens the pipe that nobody writes into waits for ever, should the test fail.
        presses = [Timer(1, os.kill, (os.getpid(), signal.SIGINT)), Timer(5, path.write_bytes, (b"",))]
        for each in presses:
            each.start()
        began = time.monotonic()
        how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
        try:
            code = run("production", "report", path, *how)[0]
        finally:
            for each in presses:
                each.cancel()
        return code, time.monotonic() - began < 4

    return interrupted


def test_ctrl_c_ends_it_while_nobody_writes_into_the_pipe(interrupted, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert interrupted(path) == (130, True)


def test_ctrl_c_ends_it_while_it_reads_a_long_file(interrupted, tmp_path, monkeypatch):
    def long(*_):
        time.sleep(6)
        yield from ()

    path = tmp_path / "found.ndjson"
    path.touch()
    monkeypatch.setattr(scan_output, "parsed_lines", long)
    assert interrupted(path) == (130, True)


def test_wrong_lines_and_networks_end_it_before_anything_is_sent(report, api):
    assert "is not a line of a collector" in report([*FOUND, {"type": "nothing"}])[2]
    assert "goes on after its end line" in report([*FOUND, END, *FOUND, END])[2]
    code, _, err = report([*FOUND, END], "--exclude", "somewhere")
    assert (code, err) == (2, "error: --exclude: 'somewhere' is no address or network; names are refused\n")
    assert api.scans == []


def test_a_file_that_is_not_there_or_a_folder_begins_no_scan(run, api, tmp_path):
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    for path in (tmp_path, tmp_path / "none"):
        code, _, err = run("production", "report", path, *how)
        assert (code, f"cannot read {path}" in err) == (2, True)
    assert api.scans == []


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
            "last_seen_at": "2026-11-27T00:00:00Z",
        }
    ]
    code, out, _ = run("production", "list", "--change", "gone")
    assert (code, api.questions[-1]) == (0, {"limit": ["50"], "change": ["gone"], "status": ["pending"]})
    assert "gone" in out
    assert out.splitlines()[1].startswith("7:2 ")
    assert "\x1b" not in out
    assert json.loads(run("production", "list", "--all", "--json")[1])[0]["id"] == 7
    assert "status" not in api.questions[-1]


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


def test_scans_are_listed(run, report, api):
    assert "No scans yet" in run("production", "scans")[1]
    report([*FOUND, END])
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
    assert (code, out.splitlines()[1].split()) == (0, ["host", "1,200", "0", "2", "0"])
    assert "\x1b" not in out
