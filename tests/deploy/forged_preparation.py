"""The program of deploy/prepare for a forge, which imports what it imports; `main` runs it."""

import os
import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "preparation"
sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True  # as in deploy/prepare

import host_rule  # noqa: E402
import judging  # noqa: E402, F401  # imports most others, and the services' settings


def main() -> None:
    """Run the program in this process; what is in force on this host is not looked at."""
    host_rule.PROGRAM = Path(os.environ.get("HOST_RULE_OF_TEST", "/usr/bin/true"))
    runpy.run_path(str(FOLDER), run_name="__main__")
