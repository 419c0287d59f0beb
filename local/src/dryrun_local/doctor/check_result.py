"""What one check found."""

from dataclasses import dataclass
from typing import Literal

type State = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. `missing` makes dry-runs fail, `note` does not; `fixes` are commands."""

    check: str
    state: State
    detail: str
    fixes: tuple[str, ...] = ()
