"""Print the folders of the unit tests that concern what differs from main: for `make quick`.

    .venv/bin/python tests/support/changed_tests.py

A room's tests have the room's name: a change in it concerns them, those of the rooms that import it, and the
package's own modules of tests. Where there are no such rooms it concerns all tests of the package. A moved
file concerns where it was and where it is.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

import grimp

ROOT: Final = Path(__file__).resolve().parents[2]


def concerned(paths: Iterable[str]) -> list[str]:
    """Return the folders and modules of tests that changed files concern; paths are relative to the root."""
    tests: set[str] = set()
    for path in map(PurePosixPath, paths):
        match path.parts:
            case (package, "src", name, room, *inner) if inner and _is_room(package, name, room):
                rooms = {room, *_importers(name, room)}
                own = PurePosixPath(package, "tests")
                tests |= {str(own / each) for each in rooms if (ROOT / own / each).is_dir()}
                tests |= {str(own / each.name) for each in (ROOT / own).glob("test_*.py")}
            case (package, "tests", room, *_) if (
                room != "support" and (ROOT / package / "tests" / room).is_dir()
            ):
                tests.add(f"{package}/tests/{room}")
            case (package, *_) if (ROOT / package / "tests").is_dir():
                tests.add(f"{package}/tests")
            case _:
                tests.add("tests")
    return sorted(
        each for each in tests if not any(str(above) in tests for above in PurePosixPath(each).parents)
    )


def _is_room(package: str, name: str, room: str) -> bool:
    # A folder that was deleted may still hold compiled modules.
    return (ROOT / package / "src" / name / room / "__init__.py").is_file() and (
        ROOT / package / "tests" / room
    ).is_dir()


def _importers(name: str, room: str) -> set[str]:
    graph = grimp.build_graph(name, cache_dir=None)
    modules = {f"{name}.{room}", *graph.find_descendants(f"{name}.{room}")}
    importing = {each for module in modules for each in graph.find_modules_that_directly_import(module)}
    return {module.split(".")[1] for module in importing - modules}


def changed() -> list[str]:
    """Return the files that differ from main."""
    base = _git("merge-base", _main(), "HEAD").strip()
    names = _git("diff", "--name-only", "--no-renames", "-z", base)
    names += _git("ls-files", "--others", "--exclude-standard", "-z")
    return names.split("\0")[:-1]


def _main() -> str:
    for name in ("refs/heads/main", "refs/remotes/origin/main"):
        if _git("for-each-ref", name):
            return name
    sys.exit(
        "there is no branch main to compare with: git fetch origin main:main, or make quick PACKAGE=guard"
    )


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.stdout.write(" ".join(concerned(changed())) + "\n")
