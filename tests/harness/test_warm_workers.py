"""Workers of tests are forks of a process that has collected the tests; without it they start as usual."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import warm_workers

TESTS = """
import os
import pytest

def note(name, line):
    with open(name, "a") as file:
        file.write(f"{line}\\n")

note("imports", os.getpid())

@pytest.mark.parametrize("number", range(4))
def test_notes_who_runs_it(number):
    note("runs", f"{number} by {os.environ['PYTEST_XDIST_WORKER']} for {os.environ['CALLER']}")
    assert number != 2
"""
COMMAND = f"{sys.executable} {warm_workers.__file__}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # The two plugins that this project leaves out too: each of 18 processes would take 0.7 s to load them.
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -pno:schemathesis -pno:anyio\n")
    (tmp_path / "test_noted.py").write_text(TESTS)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Callable[[], str]:
    """Run the tests in two workers; return what was printed."""

    def run() -> str:
        workers = f"2*popen//python={COMMAND} workers"
        command = [sys.executable, "-m", "pytest", "-q", "--dist=load", "--tx", workers]
        environ = os.environ | {"CALLER": "the controller"}
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    return run


@contextmanager
def collecting(folder: Path) -> Iterator[int]:
    """Have a process that collects them during the block; yield the id of its group."""
    with subprocess.Popen(
        [*COMMAND.split(), "--collect", "workers"], cwd=folder, stdout=subprocess.DEVNULL, process_group=0
    ) as process:
        try:
            while not (folder / "workers").exists():
                assert process.poll() is None, "it does not listen"
                time.sleep(0.02)
            yield process.pid
        finally:
            process.kill()


def runs_in(folder: Path) -> list[str]:
    return sorted((folder / "runs").read_text().splitlines())


def test_two_workers_import_the_tests_once(folder, run):
    with collecting(folder):
        printed = run()
    assert "1 failed, 3 passed" in printed
    assert len((folder / "imports").read_text().split()) == 1
    runs = runs_in(folder)
    assert [line[0] for line in runs] == ["0", "1", "2", "3"]
    assert {line.partition(" by ")[2] for line in runs} == {f"gw{n} for the controller" for n in (0, 1)}


def test_a_module_that_skips_itself_is_skipped_by_workers_too(folder, run):
    skips = "def test_before(): assert False\nimport pytest\npytest.importorskip('nothing_like_it')\n"
    (folder / "test_skips.py").write_text(skips)
    with collecting(folder):
        printed = run()
    assert "1 failed, 3 passed, 1 skipped" in printed


def test_without_that_process_each_imports_them(folder, run):
    assert "1 failed, 3 passed" in run()
    assert len((folder / "imports").read_text().split()) == 2
    assert len(runs_in(folder)) == 4


def test_tests_that_cannot_be_collected_are_reported_by_workers_as_usual(folder, run):
    (folder / "test_broken.py").write_text("import nothing_like_it\n")
    with collecting(folder):
        printed = run()
    assert "No module named 'nothing_like_it'" in printed
    assert len((folder / "imports").read_text().split()) == 3


SLOW = """
import time
import pytest

@pytest.fixture
def made():
    yield
    time.sleep(1)
    open("removed", "w").close()

def test_waits(made):
    open("running", "w").close()
    time.sleep(50)
"""


def test_after_ctrl_c_pytest_ends_once_its_workers_have_removed_what_they_made(folder):
    (folder / "test_noted.py").write_text(SLOW)
    command = [sys.executable, "-m", "pytest", "--dist=load", "--tx", f"1*popen//python={COMMAND} workers"]
    with collecting(folder) as group, (folder / "log").open("wb") as log:
        pytest_itself = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, process_group=group)
        while not (folder / "running").exists():
            assert pytest_itself.poll() is None
            time.sleep(0.02)
        os.killpg(group, signal.SIGINT)
        pytest_itself.wait(30)
    assert (folder / "removed").exists()
    assert "has_worked" not in (folder / "log").read_text(), "a traceback of who only waits"
