"""The seeds and the ground truth of the large databases match their plan."""

import sys
from pathlib import Path

import pytest

PLAN = Path(__file__).resolve().parents[2] / "images" / "large-databases"


def test_the_files_match_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PLAN)
    before = set(sys.modules)
    import write

    try:
        for path, content in write.files().items():
            assert path.read_text() == content, f"{path}: run python images/large-databases/write.py"
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]
