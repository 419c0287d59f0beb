"""The process that reads foreign output: what it may do, and what the orchestrator hears of it."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dryrun_contract.discovery import DiscoveryLine, EndLine, WarningLine
from dryrun_orchestrator.catalog.reader_tables import load_reader_tables
from dryrun_orchestrator.readers import confinement, program
from dryrun_orchestrator.readers.process import ReaderFailedError, ReaderProcess
from dryrun_orchestrator.session.collector_lines import parse_line

TABLES = load_reader_tables(Path(__file__).parents[3] / "collectors" / "manifests" / "readers", [])
LINE = b'{"ip":"10.213.0.3","port":22,"protocol":"tcp"}\n'
GARBAGE_BYTES = 10_000_000

CONFINED = """
import os, signal, socket, sys
from dryrun_orchestrator.readers.confinement import confine
confine()
tries = {
    "read a file": lambda: open("/etc/hostname"),
    "write a file": lambda: open("/tmp/x", "w"),
    "list a folder": lambda: os.listdir("/"),
    "open a socket": socket.socket,
    "start a process": os.fork,
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "signal its parent": lambda: os.kill(PARENT, 0),
    "read its parent's memory": lambda: os.pidfd_open(PARENT),
    "take memory without end": lambda: bytearray(1 << 30),
}
for what, attempt in tries.items():
    try:
        attempt()
    except (PermissionError, MemoryError):
        continue
    print(what)
"""


def test_a_confined_process_can_do_nothing_but_compute():
    program = CONFINED.replace("PARENT", str(os.getpid()))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_machine_without_a_list_of_calls_is_refused(monkeypatch):
    monkeypatch.setattr(confinement.os, "nice", lambda _: 0)
    monkeypatch.setattr(confinement.resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(confinement.platform, "machine", lambda: "pdp11")
    with pytest.raises(confinement.ConfinementError, match="pdp11"):
        confinement.confine()


async def read(reader, *pieces, whole=True):
    words = []
    async with ReaderProcess.start(reader) as process, __import__("asyncio").TaskGroup() as group:

        async def take():
            async for lines in process.lines(whole=whole):
                words.extend(map(parse_line, lines))

        group.create_task(take())
        for piece in pieces:
            await process.feed(piece)
        await process.end()
    return words


async def test_what_only_the_end_completes_is_left_out_of_a_reading_that_may_be_cut():
    naabu = TABLES["naabu"].to_json()
    whole = await read(naabu, LINE)
    assert [word.type for word in whole] == ["discovery", "discovery", "end"]
    assert await read(naabu, LINE, whole=False) == whole[:2]
    assert await read(naabu, LINE[:-1], whole=False) == []
    assert await read(naabu, LINE[:-1]) == whole


async def test_a_process_that_ends_early_says_why():
    async def reading(reader):
        async with ReaderProcess.start(reader) as process:
            await process.feed(b"x" * 10_000_000)
            await process.end()
            async for _ in process.lines(whole=True):
                pass

    with pytest.raises(ReaderFailedError, match="JSONDecodeError"):
        await reading("{")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGXCPU, r"it takes more than 60 s of processor time$"),
        (signal.SIGKILL, r"more than 60 s of processor time, or this machine ran out of memory$"),
    ],
)
async def test_a_reader_that_is_killed_blames_nothing_that_it_may_not_have_done(number, why):
    async with ReaderProcess.start(TABLES["naabu"].to_json()) as process:
        process._process.send_signal(number)
        with pytest.raises(ReaderFailedError, match=why):
            async for _ in process.lines(whole=True):
                pass


def test_a_reader_without_memory_speaks_of_memory_alone(monkeypatch, capfd):
    def confine():
        raise MemoryError

    monkeypatch.setattr(program, "confine", confine)
    monkeypatch.setattr("sys.argv", ["program", TABLES["naabu"].to_json()])

    assert program.main() == 1
    assert capfd.readouterr().err == "it takes more than 384 MiB of memory\n"


def lines_of(noise):
    return b"\n".join(noise.randbytes(noise.randrange(2000)) for _ in range(GARBAGE_BYTES // 1000))


GARBAGE = {
    "naabu": lines_of,
    "httpx": lambda _: b'{"host":' * (GARBAGE_BYTES // 8),
    "csv": lines_of,
    "zmap": lambda _: b'"' * GARBAGE_BYTES,
    "diode": lambda _: b"[" + b"[]," * (GARBAGE_BYTES // 3) + b"[]]",
    "whatweb": lambda noise: noise.randbytes(GARBAGE_BYTES),
    "gvm": lambda _: b"<results>" + b"<result>" * (GARBAGE_BYTES // 8),
    "sslscan": lambda _: b"<document>" + b"<ssltest host='x'/>" * (GARBAGE_BYTES // 19) + b"</document>",
    "nmap-xml": lambda noise: b"<nmaprun>" + noise.randbytes(GARBAGE_BYTES),
}


@pytest.mark.parametrize("name", sorted(GARBAGE))
async def test_ten_megabytes_of_garbage_end_in_warnings(name):
    garbage = GARBAGE[name](random.Random(1))
    reader = TABLES[name].to_json() if name in TABLES else name
    words = await read(reader, b"", *(garbage[at : at + 65536] for at in range(0, len(garbage), 65536)))
    assert words
    assert {type(word) for word in words} <= {WarningLine}
    assert not any(isinstance(word, EndLine) for word in words)


async def test_discoveries_before_garbage_are_kept():
    garbage = lines_of(random.Random(1))[:100_000]
    words = await read(TABLES["naabu"].to_json(), LINE + garbage + b"\n" + LINE.replace(b"22", b"23"))
    keys = [word.key for word in words if isinstance(word, DiscoveryLine)]
    assert keys == ["10.213.0.3", "10.213.0.3:22/tcp", "10.213.0.3:23/tcp"]
    assert isinstance(words[-1], EndLine)


async def test_a_record_is_reported_once_and_one_that_says_nothing_is_counted():
    lines = LINE * 3 + json.dumps({"other": 1}).encode() + b"\n"
    *found, warning, end = await read(TABLES["naabu"].to_json(), lines)
    assert len(found) == end.discoveries == 2
    assert warning.message == ('1 of 4 records hold nothing that this reader takes; the first: {"other": 1}')
