"""The templates of the report's renderers; each renderer adds filters that make text inert."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dryrun_contract.kinds import titles_of
from dryrun_contract.report import PlaceState

TEMPLATES = Path(__file__).parent / "templates"

STATES: tuple[tuple[PlaceState, str], ...] = (
    ("found", "found"),
    ("wrong", "found, with something wrong or missing in it"),
    ("missed", "missed"),
    ("not_evaluable", "not evaluable"),
    ("false_positive", "false positive"),
)
SIGNS: dict[PlaceState, str] = {
    "found": "✓",
    "wrong": "±",
    "missed": "✗",
    "not_evaluable": "?",
    "false_positive": "!",
}
"""Colour alone never carries a state."""


def environment(*, escapes: bool) -> Environment:
    """Return an environment without filters of ours."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escapes,  # noqa: S701 - Markdown is not HTML; its filters remove what steers it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def kind_of(block: Any) -> str:
    """Return the kind of a block."""
    return type(block).__name__


def counted(number: int, kind: str) -> str:
    """Return `1 table`, `3 databases`, `2 directories`."""
    return f"{number:,} {titles_of(kind, number)}"
