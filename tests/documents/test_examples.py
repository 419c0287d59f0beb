"""The examples in docstrings hold, of every distribution."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(source).with_suffix("").parts)
    for source in ROOT.glob("*/src")
    for path in source.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_hold(module):
    failed, tried = doctest.testmod(import_module(module))
    assert (failed, tried > 0) == (0, True)
