"""How ended sessions came out, for lists."""

from dataclasses import dataclass
from typing import Literal, Self

from approval_api.reports.figures import Figures
from dryrun_contract.session import SessionView


@dataclass(frozen=True, slots=True)
class Result:
    """How a session came out, in a line."""

    session: SessionView
    state: Literal["scored", "waits", "failed"]
    """`waits`: it is being scored; `failed`: it could not be."""
    figures: Figures | None
    failure: str = ""

    @classmethod
    def of(cls, session: SessionView, kept: Figures | str | None) -> Self:
        """Make it of what is kept: figures, why there are none, or nothing yet."""
        match kept:
            case Figures():
                return cls(session, "scored", kept)
            case str():
                return cls(session, "failed", None, kept)
            case None:
                return cls(session, "waits", None)
