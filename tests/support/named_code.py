"""Finds code, files and tests that a page of the documentation names and that do not exist."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_OURS = "cli|contract|local|orchestrator|replica|serving"
_PACKAGES = f"dryrun_(?:{_OURS})|docker_guard|discovery_collectors|approval_api"
CODE = re.compile(rf"`((?:{_PACKAGES})(?:\.\w+)*)(?:\(\))?`")
TEST = re.compile(r"`([\w./-]+/test_\w+\.py)(?:::(test_\w+))?`")
FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+)`")


def missing_in(text: str, folder: Path = Path()) -> Iterator[str]:
    """Yield what a text names in backquotes and is not there. Files may be relative to `folder`, too."""
    yield from (name for name in CODE.findall(text) if not exists(name))
    for file, name in TEST.findall(text):
        found = _found(file, folder)
        if found is None or (name and name not in functions_of(found)):
            yield f"{file}::{name}" if name else file
    for file in FILE.findall(text):
        if not file.endswith(".py") and _found(file, folder) is None:
            yield file


def _found(file: str, folder: Path) -> str | None:
    """Return where a file or folder is, relative to this checkout; None when nowhere."""
    return next((str(each) for each in (Path(file), folder / file) if (ROOT / each).exists()), None)


@cache
def functions_of(file: str) -> frozenset[str]:
    """Return the names of the functions in a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions)


@cache
def exists(name: str) -> bool:
    """Import the longest part of a dotted name that is a module, and look the rest up in it."""
    module, steps = name, list[str]()
    while module:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, step = module.rpartition(".")
            steps.insert(0, step)
            continue
        for step in steps:
            found = getattr(found, step, None)
        return found is not None
    return False
