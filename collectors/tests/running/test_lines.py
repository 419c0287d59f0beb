import io
import json
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.running.lines import LineWriter
from dryrun_contract.discovery import COLLECTOR_LINE, MAX_LINE_BYTES

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def lines_of(out: io.BytesIO) -> list[dict]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@given(
    kind=st.text(max_size=12),
    key=st.text(max_size=40),
    data=st.dictionaries(st.text(max_size=9), json_values),
)
def test_every_line_is_one_of_the_contract_whatever_was_found(kind, key, data):
    out = io.BytesIO()
    writer = LineWriter(out)
    writer.discovery(kind, key, data)
    writer.discovery("host", "10.0.0.1", data)
    writer.warning(key)
    writer.progress(1, None, key)
    writer.end()
    parsed = [COLLECTOR_LINE.validate_json(line) for line in out.getvalue().split(b"\n")[:-1]]
    assert len(parsed) == 5
    assert parsed[-1].discoveries == sum(line.type == "discovery" for line in parsed)


def test_counts_only_discoveries_in_the_end_line():
    out = io.BytesIO()
    writer = LineWriter(out)
    writer.discovery("host", "10.0.0.1", {})
    writer.progress(1, 2, "half")
    writer.warning("odd")
    writer.discovery("host", "not a key", {})
    writer.discovery("host", "10.0.0.2", {"big": "x" * MAX_LINE_BYTES})
    writer.discovery("host", "10.0.0.3", {})
    writer.end()
    written = lines_of(out)
    assert [line["type"] for line in written] == [
        "discovery", "progress", "warning", "warning", "warning", "discovery", "end",
    ]  # fmt: skip
    assert written[-1]["discoveries"] == 2
    assert "65536 are the most: 10.0.0.2" in written[4]["message"]


def test_names_what_was_not_looked_at_in_the_end_line_as_far_as_it_has_room(monkeypatch):
    monkeypatch.setattr("discovery_collectors.running.lines.MAX_NETWORKS", 2)
    out = io.BytesIO()
    writer = LineWriter(out)
    for last in (9, 9, 8, 10, 12, 11, 14):
        writer.not_covered(f"10.0.0.{last}")
    writer.end()
    warning, end = lines_of(out)
    assert "10.0.0.12 is not looked at; the end line has room for 2 such" in warning["message"]
    assert end["not_covered"] == ["10.0.0.8/30", "10.0.0.14/32"]


def test_a_discovery_that_does_not_fit_is_told_in_words_of_people():
    out = io.BytesIO()
    LineWriter(out).discovery("Host", "10.0.0.1", {})
    assert "characters of a-z" in lines_of(out)[0]["message"]


def test_makes_control_characters_of_a_message_visible():
    out = io.BytesIO()
    LineWriter(out).warning("\x1b[31mred\u202e" + "\x07" * 600)
    message = lines_of(out)[0]["message"]
    assert message.startswith("\\x1b[31mred\\u202e")
    # No escape is cut in two: the next one would not fit.
    assert message.endswith("\\x07…")
    assert 496 < len(message) <= 500


def test_gives_each_line_away_at_once():
    class Pipe(io.BytesIO):
        flushed = 0

        def flush(self):
            self.flushed += 1

    pipe = Pipe()
    writer = LineWriter(pipe)
    writer.progress(0, None, "begin")
    writer.discovery("host", "10.0.0.1", {})
    assert pipe.flushed == 2


FLOOD = """
import resource, sys
from discovery_collectors.running.lines import LineWriter
writer = LineWriter(sys.stdout.buffer)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for number in range(1_000_000):
    if number == 1_000: before = peak()
    writer.discovery("host", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", {"n": number})
writer.end()
print(peak() - before, file=sys.stderr)
"""


def test_a_million_lines_stream_with_flat_memory():
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as flood:
        count, last = 0, b""
        for line in flood.stdout:
            count, last = count + 1, line
        grown_kib = int(flood.stderr.read())
    assert flood.returncode == 0
    assert count == 1_000_001
    assert json.loads(last) == {"type": "end", "discoveries": 1_000_000}
    assert grown_kib < 4096


def test_a_reader_that_leaves_ends_the_program_without_a_traceback(tmp_path):
    # head closes the pipe after one line, while nmap's stand-in goes on and finds more.
    nmap = tmp_path / "nmap"
    host = (
        '<host><status state="up" reason="arp-response"/><address addr="127.0.0.%d" addrtype="ipv4"/></host>'
    )
    report = 'for word; do case $word in /dev/fd/*) exec > "$word";; esac; done'
    many = f"i=1; while [ $i -lt 250 ]; do printf '{host}\\n' $i; i=$((i + 1)); sleep 0.1; done 2>/dev/null"
    nmap.write_text(f"#!/bin/sh\n{report}\necho '<nmaprun>'\n{many}\n")
    nmap.chmod(0o755)
    run = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m discovery_collectors network --targets 127.0.0.0/24 | head -n1"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(run.stdout)["type"] == "progress"
    assert "Traceback" not in run.stderr


def test_a_reader_that_leaves_a_collector_of_many_tasks_is_no_traceback_either(tmp_path):
    found = tmp_path / "found.ndjson"
    line = '{{"type":"discovery","kind":"service","key":"127.0.0.{}:6379/tcp","data":{{}}}}\n'
    end = '{"type":"end","discoveries":199}\n'
    found.write_text("".join(line.format(number) for number in range(1, 200)) + end)
    command = (
        f"{sys.executable} -m discovery_collectors database --targets 127.0.0.0/24 --from {found} | head -n1"
    )
    run = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert json.loads(run.stdout)["type"] == "progress"
    assert "Traceback" not in run.stderr
