"""Signs that carry the meaning without colour, in the terminal's encoding."""

from dataclasses import dataclass
from typing import Final

from dryrun_contract.session import Outcome


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One sign for each meaning."""

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
    """Return the signs that an encoding can express."""
    try:
        "✓●·✗─━…".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return ASCII
    return UNICODE


def outcome_sign(outcome: Outcome | None, glyphs: Glyphs) -> tuple[str, str]:
    """Return the sign and the style of an outcome; colour alone never carries it."""
    if outcome is Outcome.COMPLETED:
        return glyphs.done, "green"
    if outcome is Outcome.FAILED:
        return glyphs.bad, "bold red"
    return glyphs.warning, "yellow"
