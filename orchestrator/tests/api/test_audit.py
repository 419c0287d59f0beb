"""Every line of the audit log is whole, and one that was written is on disk."""

import json
import os

import pytest
from small_disk import filled, small_disk

from dryrun_orchestrator.api import audit
from dryrun_orchestrator.api.audit import AuditLog
from dryrun_orchestrator.storage import NotStoredError

PAGE = 4096
"""Bytes: what a file system in memory gives a file at once."""


def write(log, reason):
    return log.write(actor="ada", command="PUT", request_id="1", outcome="refused", reason=reason)


def reasons(folder):
    return [json.loads(line)["reason"] for line in (folder / "audit.jsonl").read_text().splitlines()]


async def test_a_line_that_does_not_fit_waits_and_leaves_no_part_of_itself(tmp_path, caplog):
    with small_disk(tmp_path / "state") as folder:
        log = AuditLog(folder / "audit.jsonl")
        await write(log, "first")
        with filled(folder, leaving=PAGE):
            await write(log, "x" * 3 * PAGE)
            await write(log, "third")
            assert reasons(folder) == ["first"]
            assert f"No space left on device; free space in {folder}" in await log.fault()
        await write(log, "fourth")
        assert reasons(folder) == ["first", "x" * 3 * PAGE, "third", "fourth"]
        assert await log.fault() is None
    assert '"reason": "third"' in caplog.text, "a crash would lose it otherwise"


async def test_room_that_was_reserved_takes_lines_of_a_disk_that_has_filled_up_since(tmp_path):
    with small_disk(tmp_path / "state") as folder:
        log = AuditLog(folder / "audit.jsonl")
        await log.require_room()
        assert (folder / "audit.jsonl").stat().st_size == 0
        with filled(folder):
            for number in range(20):
                await write(log, f"{number}" * 500)
            assert len(reasons(folder)) == 20
            with pytest.raises(NotStoredError, match=f"free space in {folder}"):
                await log.require_room()


async def test_what_waits_is_bounded(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(audit, "MOST_WAITING_BYTES", 1000)
    with small_disk(tmp_path / "state") as folder:
        log = AuditLog(folder / "audit.jsonl")
        with filled(folder):
            for number in range(20):
                await write(log, f"line {number}")
        assert await log.fault() is None
        assert 1 < len(reasons(folder)) < 10
    assert "line 19" in caplog.text


async def test_a_part_of_a_line_that_a_killed_process_left_spoils_no_other(tmp_path):
    (tmp_path / "audit.jsonl").write_text('{"at": "2026-')
    await write(AuditLog(tmp_path / "audit.jsonl"), "next")
    broken, whole = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert (broken, json.loads(whole)["reason"]) == ('{"at": "2026-', "next")


async def test_an_error_is_told_although_a_part_of_the_line_cannot_be_taken_back(tmp_path, monkeypatch):
    with small_disk(tmp_path / "state") as folder:
        log = AuditLog(folder / "audit.jsonl")
        await write(log, "first")

        def fails(*_):
            raise OSError(5, "Input/output error")

        with filled(folder, leaving=PAGE), monkeypatch.context() as patched:
            patched.setattr(os, "ftruncate", fails)
            await write(log, "x" * 3 * PAGE)
            assert "No space left on device" in await log.fault()
        await write(log, "third")
        whole = [line for line in (folder / "audit.jsonl").read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line)["reason"] for line in whole] == ["first", "x" * 3 * PAGE, "third"]


async def test_a_file_that_was_moved_away_begins_anew_and_a_missing_folder_is_told(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    log = AuditLog(folder / "audit.jsonl")
    await write(log, "first")
    (folder / "audit.jsonl").rename(folder / "audit.jsonl.1")
    await write(log, "second")
    assert reasons(folder) == ["second"]
    folder.rename(tmp_path / "away")
    assert (await log.fault()).endswith(
        f"written: No such file or directory; see that this service may write in {folder}"
    )


async def lines_of(log, folder, *commands):
    """Write commands of actors; return actor, outcome and counted refusals of each line."""
    for actor, outcome in commands:
        await log.write(actor=actor, command="PUT", request_id="1", outcome=outcome)
    lines = map(json.loads, (folder / "audit.jsonl").read_text().splitlines())
    return [(line["actor"], line["outcome"], line.get("refused_before", 0)) for line in lines]


async def test_a_callers_refusals_beyond_a_rate_are_counted_in_the_next_line(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "REFUSALS_AT_ONCE", 2)
    monkeypatch.setattr(audit, "REFUSALS_PER_SECOND", 1e-6)
    log = AuditLog(tmp_path / "audit.jsonl")
    flood = [("eve", "refused")] * 7
    written = [("eve", "refused", 0)] * 2
    assert await lines_of(log, tmp_path, *flood) == written
    # Nobody else's are counted, and what was accepted always has its line.
    assert await lines_of(log, tmp_path, ("bob", "refused"), ("eve", "accepted"), ("eve", "accepted")) == [
        *written,
        ("bob", "refused", 0),
        ("eve", "accepted", 5),
        ("eve", "accepted", 0),
    ]


async def test_callers_whose_refusals_are_counted_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "REFUSALS_AT_ONCE", 1)
    monkeypatch.setattr(audit, "MOST_CALLERS_COUNTED", 1)
    log = AuditLog(tmp_path / "audit.jsonl")
    found = await lines_of(log, tmp_path, *[("eve", "refused")] * 3, *[("bob", "refused")] * 3)
    assert [actor for actor, *_ in found] == ["eve", "bob", "bob", "bob"]
