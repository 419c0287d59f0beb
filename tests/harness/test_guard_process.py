"""A guard that tests run ends with its block, also when it never answered."""

from functools import partial
from pathlib import Path

import pytest
from guard_process import GuardProcess


def guards_of(folder: Path) -> list[str]:
    """Return the process ids of guards whose files are in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and b"docker-guard" in command:
            found.append(process.name)
    return found


def test_a_guard_that_does_not_answer_in_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = GuardProcess(tmp_path, tmp_path / "no-engine.sock", {"version": 1, "images": {}})
    monkeypatch.setattr(guard, "answers", lambda: False)
    monkeypatch.setattr(guard, "start", partial(guard.start, seconds=0.2))

    with pytest.raises(AssertionError, match=r"no answer in 0\.2 s"), guard:
        pass

    assert guards_of(tmp_path) == []
