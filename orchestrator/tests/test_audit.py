"""Every line of the audit log is whole, and one that was written is on disk."""

import json

import pytest
from small_disk import filled, small_disk

from dryrun_orchestrator.audit import AuditLog
from dryrun_orchestrator.storage import NotStoredError

PAGE = 4096
"""Bytes: what a file system in memory gives a file at once."""


def write(log, reason):
    return log.write(actor="ada", command="PUT", request_id="1", outcome="refused", reason=reason)


async def test_a_line_that_does_not_fit_leaves_no_part_of_itself(tmp_path):
    with small_disk(tmp_path / "state") as folder:
        log = AuditLog(folder / "audit.jsonl")
        await write(log, "first")
        with filled(folder, leaving=PAGE):
            with pytest.raises(NotStoredError, match=f"No space left on device; free space in {folder}"):
                await write(log, "x" * 3 * PAGE)
            await write(log, "second")
        await write(log, "third")
        log.close()
        lines = (folder / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["first", "second", "third"]
