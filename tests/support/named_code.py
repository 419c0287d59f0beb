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


def missing_in(text: str) -> Iterator[str]:
    """Yield what a text names in backquotes and this checkout does not have."""
    yield from (name for name in CODE.findall(text) if not _exists(name))
    for file, name in TEST.findall(text):
        if not (ROOT / file).is_file() or (name and name not in functions_of(file)):
            yield f"{file}::{name}" if name else file
    for file in FILE.findall(text):
        if not file.endswith(".py") and not (ROOT / file).exists():
            yield file


@cache
def functions_of(file: str) -> frozenset[str]:
    """Return the names of the functions in a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions)


@cache
def _exists(name: str) -> bool:
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
