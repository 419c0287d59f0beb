"""The templates of the report's renderers; what a text becomes is each renderer's own matter."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dryrun_contract.kinds import title_of
from dryrun_contract.report import PlaceState

TEMPLATES = Path(__file__).parent / "templates"

STATES: tuple[tuple[PlaceState, str], ...] = (
    ("found", "found"),
    ("wrong", "found, with something wrong or missing in it"),
    ("missed", "missed"),
    ("not_evaluable", "not evaluable"),
    ("invented", "invented"),
)
SIGNS: dict[PlaceState, str] = {
    "found": "✓",
    "wrong": "±",
    "missed": "✗",
    "not_evaluable": "?",
    "invented": "!",
}
"""A state is never told by colour alone."""


def environment(*, escapes: bool) -> Environment:
    """Return an environment that knows no filter of ours yet."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escapes,  # noqa: S701 - Markdown is no HTML; what steers it is taken out by its filters
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def kind_of(block: Any) -> str:
    """Return which kind of block this is."""
    return type(block).__name__


def counted(number: int, kind: str) -> str:
    """Return `1 table`, `3 databases`, `2 directories`."""
    noun = title_of(kind)
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun}"
