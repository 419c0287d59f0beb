"""What the isolation probe reported, read from its output."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from dryrun_contract.text import printable


class _Line(BaseModel):
    """A line's other fields are evidence for people who read the log."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _VerdictLine(_Line):
    type: Literal["verdict"]
    isolated: bool | None
    reason: str


class _EndLine(_Line):
    """Written by the process that waited for the one that judged."""

    type: Literal["end"]
    exit_code: int


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """One run of the probe. Neither isolated, reached nor undecided: it broke off, which proves nothing."""

    reason: str
    isolated: bool = False
    reached: bool = False
    undecided: bool = False

    @staticmethod
    def is_complete(said: bytes | bytearray) -> bool:
        """Return whether its last line has come."""
        return said.endswith(b"\n") and _line(_EndLine, bytes(said).splitlines()[-1]) is not None

    @classmethod
    def read(cls, said: bytes) -> Self:
        """Read the output. It takes both lines: a probe that breaks off after its verdict proves nothing."""
        lines = said.splitlines()
        verdict = _first(_VerdictLine, lines)
        end = _first(_EndLine, lines)
        code = None if end is None else end.exit_code
        if verdict is None:
            return cls(f"the isolation probe gave no verdict (exit code {code})")
        reason = printable(verdict.reason, limit=500)
        if verdict.isolated and code != 0:
            return cls(f"the isolation probe broke off after its verdict (exit code {code}): {reason}")
        return cls(
            reason,
            isolated=verdict.isolated is True,
            reached=verdict.isolated is False,
            undecided=verdict.isolated is None,
        )


def _line[T: _Line](kind: type[T], line: bytes) -> T | None:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        return None


def _first[T: _Line](kind: type[T], lines: list[bytes]) -> T | None:
    return next((found for line in lines if (found := _line(kind, line)) is not None), None)
