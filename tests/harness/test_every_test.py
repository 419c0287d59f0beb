"""`make test` runs every suite, and fails when any of them does."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from local_stack import ROOT

SUITES = ("unit", "browser", "engines", "machine", "apart", "paired", "alone")
PYTEST = """#!/bin/sh
suite=${2#cache_dir=.pytest_cache/}
case "$*" in *--last-failed*) suite="$suite-again" ;; esac
echo "$suite" >>calls
echo "$suite $*" >>arguments
case " $FAILING " in *" $suite "*) exit 1 ;; esac
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, list[str]]]:
    """Run the script with a pytest that only notes its calls; return exit code and suites."""
    program = tmp_path / "tests" / "support" / "every-test"
    program.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "support" / "every-test", program)
    own_engine = program.with_name("with-own-engine")

    def run(*options: str, failing: str = "", possible: bool = True) -> tuple[int, list[str]]:
        for stub, text in (
            (tmp_path / ".venv" / "bin" / "pytest", PYTEST),
            (own_engine, "#!/bin/true" if possible else "#!/bin/false"),
        ):
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.write_text(text)
            stub.chmod(0o755)
        environ = os.environ | {"FAILING": failing}
        done = subprocess.run(
            [program, *options], env=environ, capture_output=True, text=True, timeout=30, check=False
        )
        return done.returncode, (tmp_path / "calls").read_text().split()

    return run


@pytest.mark.parametrize("possible", [True, False])
def test_every_suite_runs_once_and_passes(run, possible):
    code, calls = run(possible=possible)
    assert (code, sorted(calls)) == (0, sorted(SUITES))
    assert {"apart", "unit"} <= set(calls[: calls.index("engines")])
    assert calls[-2:] == ["paired", "alone"]


@pytest.mark.parametrize("possible", [True, False])
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_that_fails_fails_all_and_stops_no_other(run, suite, possible):
    code, calls = run(failing=suite, possible=possible)
    assert (code, sorted(calls)) == (1, sorted(SUITES))


def test_what_failed_once_has_to_pass_again(run):
    code, calls = run("--again", failing="machine unit")
    assert (code, calls[len(SUITES) :]) == (0, ["unit-again", "machine-again"])


def test_what_fails_again_fails_all(run):
    code, calls = run("--again", failing="machine unit machine-again")
    assert (code, calls[len(SUITES) :]) == (1, ["unit-again", "machine-again"])


def test_a_suite_gets_every_file_whose_tests_may_have_its_mark(run, tmp_path):
    uses = {
        "tests/bounds/test_floods.py": "alone",
        "tests/bounds/test_limits.py": "long",
        "guard/tests/door/conftest.py": "apart",
        "guard/tests/test_words.py": "alone_no_more",
        "tests/support/marks.py": "machine",
    }
    for path, mark in uses.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"@pytest.mark.{mark}\n")
    run()
    given = {line.split()[0]: line.split() for line in (tmp_path / "arguments").read_text().splitlines()}
    assert given["alone"][-2:] == ["--durations=5", "tests/bounds/test_floods.py"]
    assert given["apart"][-2:] == ["apart", "./guard/tests/door"]
    assert given["machine"][-2:] == ["--durations=5", "tests"]


@pytest.mark.parametrize("name", ["date", "run", ""])
def test_a_suite_that_there_is_not_is_refused(run, tmp_path, name):
    (tmp_path / "calls").touch()
    assert run("--suite", name) == (2, [])
    assert run("--suite") == (2, [])
    assert run(f"--{name}x") == (2, [])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_suites_with_all_that_they_started(run, tmp_path, sent):
    run()
    (tmp_path / ".venv" / "bin" / "pytest").write_text(
        "#!/bin/sh\n"
        "sleep 60 & echo $! >>sleeping; trap 'echo cleaned >>ended; exit 2' INT; "
        "while :; do sleep 0.05; done\n"
    )
    program = tmp_path / "tests" / "support" / "every-test"
    # A shell, or a worker of pytest, has what it starts ignore Ctrl-C; nohup has it ignore SIGHUP.
    command = ["env", "--default-signal=INT,HUP", program]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as suites:
        sleeping = tmp_path / "sleeping"
        deadline = time.monotonic() + 20
        while not sleeping.exists() or len(sleeping.read_text().splitlines()) < 3:
            assert suites.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        suites.send_signal(sent)
        assert suites.wait(timeout=10) == 130
    assert (tmp_path / "ended").read_text().split() == ["cleaned"] * 3
    deadline = time.monotonic() + 5
    for process in sleeping.read_text().split():
        stat = Path(f"/proc/{process}/stat")
        while stat.exists() and stat.read_text().split()[2] != "Z" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not stat.exists() or stat.read_text().split()[2] == "Z"
