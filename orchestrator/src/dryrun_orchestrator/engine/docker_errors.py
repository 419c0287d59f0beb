"""Translates error answers of an engine, or of a proxy in front of it, into the protocol's errors."""

import json
from dataclasses import dataclass

from dryrun_orchestrator.engine.errors import (
    ConflictError,
    EngineDownError,
    EngineError,
    ForbiddenError,
    ImageMissingError,
    ImageNotAllowedError,
    InUseByTaskError,
    NotFoundError,
    RejectedError,
    SubnetTakenError,
    TransientEngineError,
)

_TEXT_CEILING = 400
_OVERLAP_TEXTS = ("pool overlaps", "overlapping ipv4", "address space overlaps", "overlaps with other one")
_CONFLICT_TEXTS = (
    "active endpoints",
    "already in use",
    "already exists",
    "conflicts with network",
    "has the same bridge name",
)
_TASK_TEXTS = ("in use by task", "in use by a task")
"""The engine's, and the guard's without the ids."""
_REMOVAL_GOES_ON = "already in progress"
_GATEWAY_STATUSES = frozenset({502, 503, 504})
_GUARDS_WORD = "docker-guard: "
_GUARDS_MOMENTS = frozenset({408, 503})
"""A request that arrived too slowly; one too many, or none while its audit log cannot be written."""
_PROXY_REFUSALS = frozenset({401, 403, 404, 405, 407})


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request as error messages name it; `path` has no API version and no query."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def error_from_answer(call: Call, status: int, body: bytes) -> EngineError:
    """Return the error for an unsuccessful answer.

    The engine's own errors are JSON objects with a `message` (Engine API, `ErrorResponse`). An answer in any
    other form is a proxy's. Its 404 says nothing about a container and is never a NotFoundError: cleanup
    would take a hidden container for a removed one.
    """
    message = _engine_message(body)
    if message is None:
        return _error_of_proxy(call, status, body)
    text = f"{call}: the engine answered {status}: {_shorten(message)}"
    lowered = message.lower()
    if _is_of_the_moment(status, lowered):
        return TransientEngineError(text)
    return _error_by_text(lowered, text) or _error_by_status(call, status, lowered, text)


def _error_by_text(lowered: str, text: str) -> EngineError | None:
    """Use the message where the engine's status misleads: it answers some conflicts with 403 and 500."""
    if any(known in lowered for known in _OVERLAP_TEXTS):
        return SubnetTakenError(f"{text}; take another subnet")
    if any(known in lowered for known in _CONFLICT_TEXTS):
        return ConflictError(text)
    if any(known in lowered for known in _TASK_TEXTS):
        return InUseByTaskError(text)
    if _REMOVAL_GOES_ON in lowered:
        # Often one's own: the answer to the first request was lost. The next one finds the container gone.
        return TransientEngineError(text)
    return None


def _error_by_status(call: Call, status: int, lowered: str, text: str) -> EngineError:
    if status == 404:
        return _not_found(call, text, lowered)
    if status == 409:
        # An engine shows no log of one that is dead, or whose removal has begun (moby, `ContainerLogs`).
        return NotFoundError(text) if call.path.endswith("/logs") else ConflictError(text)
    if status in (401, 403):
        return _refused(call, text, lowered)
    if status in _GATEWAY_STATUSES:
        return EngineDownError(f"{text}; check that the engine runs")
    if status == 429 or status >= 500:
        return TransientEngineError(f"{text}; try again")
    return RejectedError(text)


def _is_of_the_moment(status: int, lowered: str) -> bool:
    """Return whether a guard refuses what it may let pass later: its engine runs, and heard nothing of it."""
    by_rule = lowered.startswith(_GUARDS_WORD) and " (rule " in lowered
    return by_rule and status in _GUARDS_MOMENTS


def rubbish(call: Call, what: str) -> RejectedError:
    """Return the error for a successful answer whose content is not an engine's."""
    return RejectedError(
        f"{call}: the answer is not an engine's: {_shorten(what)}; check that DOCKER_HOST names an engine"
    )


def _engine_message(body: bytes) -> str | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    message = answer.get("message") if isinstance(answer, dict) else None
    return message if isinstance(message, str) else None


def _not_found(call: Call, text: str, lowered: str) -> EngineError:
    if call.path == "/containers/create" and "image" in lowered:
        return ImageMissingError(f"{text}; images are never pulled: build or load it on this engine")
    if "page not found" in lowered:
        return RejectedError(f"{text}; this engine does not know the call")
    return NotFoundError(text)


def _refused(call: Call, text: str, lowered: str) -> EngineError:
    """Classify a guard's refusals: they name their rule and are never 404 for an image."""
    if not lowered.startswith(_GUARDS_WORD):
        return _forbidden(call, text)
    if call.path == "/containers/create" and "is not on this engine" in lowered:
        return ImageMissingError(f"{text}: build or load it on this engine")
    if call.path == "/containers/create" and "is not in the allowlist" in lowered:
        return ImageNotAllowedError(text)
    return ForbiddenError(text)


def _error_of_proxy(call: Call, status: int, body: bytes) -> EngineError:
    text = f"{call}: answered {status}, not in the engine's form: {_shorten(body.decode(errors='replace'))}"
    if status in _PROXY_REFUSALS:
        return _forbidden(call, text)
    if status in _GATEWAY_STATUSES:
        return EngineDownError(f"{text}; the proxy does not reach the engine: check that it runs")
    if status == 429 or status >= 500:
        return TransientEngineError(f"{text}; try again")
    return RejectedError(f"{text}; check that DOCKER_HOST names an engine")


def _forbidden(call: Call, text: str) -> ForbiddenError:
    return ForbiddenError(
        f"{text}; the proxy before the engine has to allow it "
        f"(in the docker-socket-proxy family: {flags_for(call)})"
    )


def flags_for(call: Call) -> str:
    """Return the settings that allow a call in Tecnativa's docker-socket-proxy, older and newer.

    >>> flags_for(Call("GET", "/containers/0123abcd/logs"))
    'CONTAINERS=1, and ALLOW_LOGS=1 where that exists'
    """
    section = call.path.split("/")[1].removeprefix("_").upper()
    flags = f"{section}=1"
    if call.method == "POST":
        flags += " and POST=1"
    if call.method == "DELETE":
        flags += " and POST=1, and DELETE=1 where that exists"
    if call.path.endswith("/logs"):
        flags += ", and ALLOW_LOGS=1 where that exists"
    return flags


def _shorten(text: str) -> str:
    """Return an error message as one readable line, whatever a proxy's error page contains."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= _TEXT_CEILING else f"{line[:_TEXT_CEILING]} …"
