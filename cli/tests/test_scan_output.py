"""What a collector wrote, from a file or through a pipe: it is read to its end, and Ctrl-C ends that."""

import json
import os
import signal
import time
from codecs import BOM_UTF8
from pathlib import Path
from threading import Thread, Timer

import pytest

from dryrun_cli.commands import production_output, scan_output
from dryrun_cli.commands.scan_output import ScanOutput
from dryrun_cli.errors import WrongUseError

HOST = {"type": "discovery", "kind": "host", "key": "10.213.0.9"}
SERVICE = {
    "type": "discovery",
    "kind": "service",
    "key": "10.213.0.1:22/tcp",
    "data": {"product": "OpenSSH"},
}


def written(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


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
    lines = [SERVICE | {"data": {}}, HOST, SERVICE, {"type": "end", "discoveries": 3}]
    assert piped(written(lines))[:2] == (
        0,
        "2 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n",
    )
    assert len(api.reported) == 1


def test_targets_with_nothing_that_came_through_a_pipe_make_nothing_missed(piped, api):
    elsewhere = {"type": "discovery", "kind": "host", "key": "192.0.2.9"}
    code, _, err = piped(written([elsewhere, {"type": "end", "discoveries": 1}]))
    assert (code, len(api.reported), api.scans[0]["complete"]) == (1, 1, False)
    assert err.startswith("No discovery lies in 10.213.0.0/16, and some lie elsewhere, such as 192.0.2.9:")


@pytest.fixture
def redirected(run, tmp_path, monkeypatch):
    """Report a file as standard input, from its second line on."""

    def redirected(content):
        path = tmp_path / "found.ndjson"
        path.write_bytes(b"skipped\n" + content)
        with path.open() as stream:
            stream.buffer.readline()
            monkeypatch.setattr(production_output, "standard_input", lambda: stream)
            how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
            return run("production", "report", "-", *how)

    return redirected


def test_a_file_as_standard_input_is_judged_before_anything_is_sent(redirected, api):
    lines = [HOST, SERVICE, {"type": "end", "discoveries": 2}]
    assert redirected(written(lines))[:2] == (
        0,
        "2 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n",
    )
    assert "standard input:1 is not a line of a collector" in redirected(b"Starting Nmap\n")[2]
    elsewhere = {"type": "discovery", "kind": "host", "key": "192.0.2.9"}
    assert "standard input has no discovery in 10.213.0.0/16" in redirected(written([elsewhere]))[2]
    assert len(api.scans) == 1


def test_standard_input_that_is_closed_begins_no_scan(run, api, monkeypatch):
    monkeypatch.setattr(production_output, "standard_input", lambda: None)
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    code, _, err = run("production", "report", "-", *how)
    assert (code, "cannot read standard input: it is closed" in err, api.scans) == (2, True, [])


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a_byte_order_mark_is_no_part_of_a_line_in_utf_8(run, api, tmp_path, mark):
    path = tmp_path / "marked.ndjson"
    path.write_bytes(mark + written([HOST, {"type": "end", "discoveries": 1}]))
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    code, _, err = run("production", "report", path, *how)
    if mark == BOM_UTF8:
        assert (code, err, api.scans[0]["complete"]) == (0, "", True)
    else:
        assert (code, "is written in UTF-16; write it again as UTF-8" in err, api.scans) == (2, True, [])


def test_a_file_that_is_overwritten_while_it_is_reported_proves_nothing_gone(tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_bytes(written([HOST, SERVICE, {"type": "end", "discoveries": 2}]))
    with path.open("rb") as file:
        output = ScanOutput(file, path)
        assert output.whole
        path.write_bytes(written([HOST]))
        with pytest.raises(WrongUseError, match="was overwritten while it was reported"):
            list(output.discoveries())
        path.write_bytes(written([HOST, SERVICE, SERVICE]))
        assert len(list(output.discoveries())) == 2


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_output_without_any_line_is_refused(run, piped, api, tmp_path, nothing):
    code, _, err = piped(nothing)
    assert (code, "is empty: its collector wrote nothing" in err, api.reported) == (2, True, [])
    assert [each["complete"] for each in api.scans] == [False], "a scan that never ends is waited for"
    path = tmp_path / "found.ndjson"
    path.write_bytes(nothing)
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    assert (run("production", "report", path, *how)[0], len(api.scans)) == (2, 1)


def test_a_pipe_of_something_else_ends_its_scan_and_proves_nothing(piped, api):
    code, _, err = piped(b"Starting Nmap\n")
    assert (code, "is not a line of a collector" in err, api.reported) == (2, True, [])
    assert [each["complete"] for each in api.scans] == [False]


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
