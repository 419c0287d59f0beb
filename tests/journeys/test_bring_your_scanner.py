"""`docs/bring-your-scanner.md`, followed to the letter with a folder outside of the project."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_stack import ROOT

GUIDE = ROOT / "docs" / "bring-your-scanner.md"
FILE = re.compile(r"^`(?P<path>\S+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# Its images take packages from the registry, which an engine of one's own does not reach.
pytestmark = [pytest.mark.engine, pytest.mark.machine]

IMAGES = ("discovery/test-collector-masscan:1.3", "discovery/test-collector-tls:1.0")


@pytest.fixture(scope="module")
def scanners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guide") / "scanners"
    for found in FILE.finditer(GUIDE.read_text(encoding="utf-8")):
        path = folder / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"], encoding="utf-8")
    return folder


@pytest.fixture
def state() -> Iterator[Path]:
    """A state of its own, in a folder of a short name: sockets have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="dt-"))
    try:
        shutil.copy2(ROOT / ".dryrun" / "allowlist.json", folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def dryrun_local(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("DRYRUN_")}
    return subprocess.run(
        [str(ROOT / ".venv" / "bin" / "dryrun-local"), *arguments],
        env=inherited | {"DRYRUN_LOCAL_STATE": str(state)},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


def test_its_files_have_no_fault(scanners: Path, state: Path) -> None:
    done = dryrun_local(state, "check", "--add", str(scanners))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_both_scanners_are_rehearsed_and_scored_with_lists(scanners: Path, state: Path, docker: Any) -> None:
    try:
        done = dryrun_local(
            state,
            *("demo", "--json", "--add", str(scanners), "--template", "branch"),
            *("--criteria", str(scanners / "criteria.yml")),
        )
        ended = json.loads(done.stdout.splitlines()[-1])
    finally:
        for image in IMAGES:
            docker("image", "rm", image)
    report = ended["report"]
    verdict = {result["criterion"]: result["status"] for result in report["verdict"]["results"]}
    assert (done.returncode, set(verdict.values())) == (0, {"passed"}), verdict
    alone = {one["collector"]: one for one in report["collector_scores"]}

    # A machine without an open port, which a scan of ports cannot see; and no word of products.
    assert [fact["key"] for fact in alone["masscan"]["false_negatives"]] == ["desk"]
    assert {row["attribute"] for row in alone["masscan"]["rows_not_claimed"]} == {"product", "version"}
    found = {row["kind"]: row["true_positives"] for row in alone["masscan"]["rows"]}
    assert found == {"host": 2, "service": 4}

    assert {row["kind"]: row["recall"] for row in alone["tls"]["rows"]} == {"host": 1, "certificate": 1}
    assert alone["tls"]["false_positives"] == alone["tls"]["wrong_values"] == []
    warned = [run["warnings"] for run in report["collectors"] if run["purpose"] == "comparison"]
    assert warned == [0, 0]
