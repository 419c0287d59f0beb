"""Ctrl-C while a command is still being imported."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from dryrun_contract.entrance import run_main_of

PACKAGES = Path(__file__).resolve().parents[2]
PROGRAM = """
import atexit, os, signal, sys
from importlib import import_module

class Interrupted:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == interrupted_at:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupted)
entrance, interrupted_at, kind = sys.argv[1:]
if kind == "late":
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
if kind == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
module, _, function = entrance.partition(":")
sys.argv[1:] = ["--help"]
getattr(import_module(module), function)()
"""


def entrance(package: str, name: str) -> str:
    """Return what the command of a package runs."""
    found: str = tomllib.loads((PACKAGES / package / "pyproject.toml").read_text())["project"]["scripts"][
        name
    ]
    return found


def run(entrance: str, interrupted_at: str, kind: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM, entrance, interrupted_at, kind]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("package", "name", "module"),
    [
        ("cli", "dryrun", "dryrun_cli.main"),
        ("cli", "dryrun", "typer"),
        ("local", "dryrun-local", "dryrun_local.main"),
        ("local", "dryrun-local", "typer"),
        ("guard", "docker-guard", "docker_guard.main"),
        ("orchestrator", "dryrun-orchestrator", "fastapi"),
        ("approval", "approval-api", "pydantic"),
        ("collectors", "discovery-collect", "pydantic"),
    ],
)
def test_ctrl_c_while_a_command_is_imported_ends_it_quietly(package, name, module):
    done = run(entrance(package, name), module, "")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(("package", "name"), [("cli", "dryrun"), ("local", "dryrun-local")])
def test_ctrl_c_while_python_takes_down_what_was_imported_changes_nothing(package, name):
    done = run(entrance(package, name), "", "late")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " in done.stdout


def test_a_command_that_ignores_ctrl_c_goes_on():
    done = run(entrance("cli", "dryrun"), "dryrun_cli.main", "ignored")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " in done.stdout


def test_ctrl_c_while_commands_are_put_together_has_the_same_exit_code(monkeypatch):
    def main():
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "made", SimpleNamespace(main=main))
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            run_main_of("made")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130
