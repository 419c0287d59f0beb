"""What a request came to: words for the record and an answer for the client, and nothing of the error itself.

An error holds the frames that it passed, and they hold the request's body. Kept in one of those frames it
makes a cycle, which frees nothing until the collector of cycles runs: memory would grow past every ceiling.
"""

import json
import traceback
from dataclasses import dataclass
from typing import Self

from docker_guard.answers import Answer
from docker_guard.refusal import EngineDownError, Refusal


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verdict` is one of allowed, absent, refused, failed; `rule` names what decided."""

    answer: Answer
    verdict: str = "allowed"
    rule: str = "route"
    reason: str = ""

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Return what an error comes to. Where a fault of ours happened is told, never with which values."""
        match error:
            case Refusal(rule="engine"):
                # The guard let it through.
                return cls(_answer(error.status, error.message), "allowed", "engine", error.on_record)
            case Refusal():
                verdict = "absent" if error.rule == "absent" else "refused"
                return cls(_answer(error.status, error.message), verdict, error.rule, error.reason)
            case EngineDownError():
                return cls(_answer(503, f"docker-guard: {error}"), "failed", "engine-down", str(error))
            case _:
                # A fault of ours, or an engine that answers as none does: closed is the default.
                frame = traceback.extract_tb(error.__traceback__)[-1]
                reason = f"{type(error).__name__} in {frame.name}, line {frame.lineno}"
                told = "docker-guard: an error of the guard; its log says where"
                return cls(_answer(500, told), "failed", "fault", reason)

    @property
    def ends_connection(self) -> bool:
        """Tell whether the client is to come again later, on another connection."""
        return self.verdict != "failed" and self.answer.status == 503


def _answer(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"message": message}).encode())
