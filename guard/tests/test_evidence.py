"""What cannot be recorded is not made; everything else, removals above all, goes on."""

import json
import os

import pytest
from guard_stage import Guard, Log, Words

from docker_guard.evidence import REGISTRY, Evidence, writing_to


def lost() -> float:
    return REGISTRY.get_sample_value("docker_guard_evidence_lost_total") or 0


async def test_a_full_disk_stops_creations_and_nothing_else(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    made = await guard.make_container(words.container())
    guard.log.room, before = 0, lost()
    started = await guard.ask("POST", f"/v1.45/containers/{made}/start")
    created = await guard.create(words.container())
    another = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert {reply.status for reply in (started, created, another)} == {503}
    assert "rule evidence" in created.message
    assert guard.engine.containers[made]["State"] == "created"
    assert len(guard.engine.containers) == len(guard.engine.networks) == 1
    assert (await guard.ask("GET", "/_ping")).status == 200
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made}?force=1")).status == 204
    assert (await guard.ask("DELETE", f"/v1.45/networks/{network}")).status == 204
    assert lost() > before
    guard.log.room = 10**9
    assert (await guard.ask("POST", "/v1.45/networks/create", Words().network())).status == 201


def test_a_line_that_was_torn_spoils_no_other():
    log = Log()
    evidence = Evidence(log.write)
    log.room = 20
    assert not evidence.line("torn", reason="x" * 100)
    log.room = 10**9
    assert evidence.line("whole")
    assert evidence.line("next")
    assert [each["type"] for each in log.lines()] == ["whole", "next"]


def test_a_pipe_that_nobody_reads_keeps_nothing_waiting():
    reading, writing = os.pipe()
    try:
        evidence = Evidence(writing_to(writing))
        written = [evidence.line("full", reason="x" * 1000) for _ in range(200)]
        assert True in written
        assert written[-1] is False
        os.read(reading, 2**20)
        assert evidence.line("read again")
    finally:
        os.close(reading)
        os.close(writing)


def test_a_pipe_whose_reader_has_gone_keeps_nothing_waiting():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert not Evidence(writing_to(writing)).line("nobody")
    finally:
        os.close(writing)


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_no_line_is_longer_than_a_pipe_takes_at_once(letter):
    lines: list[bytes] = []

    def write(line: bytes) -> int:
        lines.append(line)
        return len(line)

    Evidence(write).line("long", reason=letter * 10_000, path="/" * 200)
    assert len(lines[0]) <= 4096
    assert json.loads(lines[0])["reason"].startswith(letter)
