"""The outcome of a request: fields of the audit log and an answer for the client, without the exception.

An exception references the frames it passed, which hold the request's body. Kept in one of those frames it
forms a cycle, freed only when the garbage collector runs: memory would grow past every ceiling.
"""

import json
import traceback
from dataclasses import dataclass
from typing import Self

from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.sessions.answers import Answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verdict` is one of allowed, absent, refused, failed; `rule` names the rule that decided."""

    answer: Answer
    verdict: str = "allowed"
    rule: str = "route"
    reason: str = ""

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Return the outcome of an exception; for a fault of the guard its place, never a value."""
        match error:
            case Refusal(rule="engine"):
                # The guard let it through.
                return cls(_answer(error.status, error.message), "allowed", "engine", error.on_record)
            case Refusal(rule="left"):
                return cls(_answer(error.status, error.message), "failed", "left", error.reason)
            case Refusal():
                verdict = "absent" if error.rule == "absent" else "refused"
                return cls(_answer(error.status, error.message), verdict, error.rule, error.reason)
            case EngineDownError():
                return cls(_answer(503, f"docker-guard: {error}"), "failed", "engine-down", str(error))
            case _:
                # A fault of the guard, or an engine's answer in an unknown form: fail closed.
                frame = traceback.extract_tb(error.__traceback__)[-1]
                reason = f"{type(error).__name__} in {frame.name}, line {frame.lineno}"
                message = "docker-guard: an internal error; the guard's log names the place"
                return cls(_answer(500, message), "failed", "fault", reason)

    @property
    def ends_connection(self) -> bool:
        """Return whether the client should retry later, on another connection."""
        return self.verdict != "failed" and self.answer.status == 503


def _answer(status: int, message: str) -> Answer:
    return Answer(status, json.dumps({"message": message}).encode())
