"""What cannot be recorded is not created; everything else, removals above all, goes on."""

import json
import os

from guard_stage import Guard, Log, Words

from docker_guard.audit.audit_log import AuditLog, writing_to
from docker_guard.audit.metrics import REGISTRY


def number(name: str) -> float:
    return REGISTRY.get_sample_value(f"docker_guard_audit_{name}") or 0


async def test_a_full_disk_stops_creations_and_nothing_else(guard: Guard):
    words = Words()
    network = await guard.make_session(words)
    made = await guard.make_container(words.container())
    guard.log.room = 0
    started = await guard.ask("POST", f"/v1.45/containers/{made}/start")
    created = await guard.create(words.container())
    another = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert {reply.status for reply in (started, created, another)} == {503}
    assert "rule audit" in created.message
    assert guard.engine.containers[made]["State"] == "created"
    assert len(guard.engine.containers) == len(guard.engine.networks) == 1
    assert (await guard.ask("GET", "/_ping")).status == 200
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made}?force=1")).status == 204
    assert (await guard.ask("DELETE", f"/v1.45/networks/{network}")).status == 204
    assert number("waiting_bytes") > 0
    guard.log.room = 10**9
    assert (await guard.ask("POST", "/v1.45/networks/create", Words().network())).status == 201
    # Nothing was lost meanwhile.
    assert [line["status"] for line in guard.decisions[2:]] == [503, 503, 503, 200, 204, 204, 201]
    assert number("waiting_bytes") == 0


async def test_every_refusal_counts_whatever_its_rule(guard: Guard):
    def refused() -> float:
        return REGISTRY.get_sample_value("docker_guard_refused_total") or 0

    before = refused()
    assert (await guard.ask("GET", "/_ping")).status == 200
    assert refused() == before
    for path in ("/v1.45/images/json", "/v1.45/info/x"):
        assert (await guard.ask("POST", path)).status == 403
    assert refused() == before + 2


def test_a_partly_written_line_is_completed():
    log = Log()
    audit = AuditLog(log.write)
    log.room = 20
    assert not audit.line("torn", reason="x" * 100)
    log.room = 10**9
    assert audit.line("next")
    assert [each["type"] for each in log.lines()] == ["torn", "next"]


def test_a_pipe_that_nobody_reads_blocks_nothing_and_waiting_lines_are_bounded():
    reading, writing = os.pipe()
    lost = number("lost_total")
    try:
        audit = AuditLog(writing_to(writing))
        written = [audit.line(str(n), reason="x" * 1000) for n in range(1500)]
        assert (written[0], written[-1]) == (True, False)
        assert number("waiting_bytes") <= 2**20
        assert number("lost_total") > lost
        heard = b""
        while not audit.flush():
            heard += os.read(reading, 2**16)
        heard += os.read(reading, 2**16)
        types = [int(json.loads(line)["type"]) for line in heard.splitlines()]
        assert types == list(range(len(types)))
        assert len(types) > 1000
    finally:
        os.close(reading)
        os.close(writing)


def test_a_pipe_whose_reader_has_gone_blocks_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert not AuditLog(writing_to(writing)).line("nobody")
    finally:
        os.close(writing)
