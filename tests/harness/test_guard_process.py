"""A guard that tests run ends with its block, also when it never answered."""

from functools import partial
from pathlib import Path

import pytest
from guard_process import GuardProcess


def test_a_guard_that_does_not_answer_in_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = GuardProcess(tmp_path, tmp_path / "no-engine.sock", {"version": 1, "images": {}})
    pids: list[int] = []
    # append returns None: no answer.
    monkeypatch.setattr(guard, "answers", lambda: pids.append(guard.pid))
    monkeypatch.setattr(guard, "start", partial(guard.start, seconds=0.2))

    with pytest.raises(AssertionError, match=r"no answer in 0\.2 s"), guard:
        pass

    assert len(set(pids)) == 1
    assert not Path(f"/proc/{pids[0]}").exists()
