"""Signs that carry the meaning where colour is off, in the terminal's encoding."""

from dataclasses import dataclass
from typing import Final

from dryrun_contract.session import Outcome


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Signs that carry the meaning where colour is off."""

    done: str
    active: str
    pending: str
    bad: str
    warning: str
    link: str
    bar_full: str
    bar_rest: str
    dot: str


UNICODE: Final = Glyphs("✓", "●", "·", "✗", "!", "─", "━", "─", "·")
ASCII: Final = Glyphs("+", "*", ".", "x", "!", "-", "#", "-", "-")


def glyphs_for(encoding: str) -> Glyphs:
    """Return signs that the terminal's encoding has."""
    try:
        "✓●·✗─━…".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE


def outcome_sign(outcome: Outcome | None, glyphs: Glyphs) -> tuple[str, str]:
    """Return sign and style of an outcome; it is never told by colour alone."""
    if outcome is Outcome.COMPLETED:
        return glyphs.done, "green"
    if outcome is Outcome.FAILED:
        return glyphs.bad, "bold red"
    return glyphs.warning, "yellow"
