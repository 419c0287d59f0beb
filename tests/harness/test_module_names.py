"""What tests share is imported by a bare name; two modules of one name would hide each other."""

import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def shared_modules() -> dict[str, list[str]]:
    """Module name → the places on pytest's path that have one of that name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    found = defaultdict(list)
    for folder in settings["pythonpath"]:
        for path in sorted((ROOT / folder).iterdir()):
            is_package = path.is_dir() and any(path.glob("*.py"))
            if is_package or (path.suffix == ".py" and not path.name.startswith(("test_", "conftest"))):
                found[path.stem].append(str(path.relative_to(ROOT)))
    return found


def test_a_name_stands_for_one_module():
    assert {name: places for name, places in shared_modules().items() if len(places) > 1} == {}


def test_no_name_hides_an_installed_module():
    installed = packages_distributions().keys() | sys.stdlib_module_names
    assert shared_modules().keys() & installed == set()
