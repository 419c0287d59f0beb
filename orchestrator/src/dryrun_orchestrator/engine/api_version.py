"""Which version of the Engine API is spoken: the newest that both sides know."""

from typing import Any, Final

from dryrun_orchestrator.engine.docker_errors import Call, rubbish
from dryrun_orchestrator.engine.errors import RejectedError

OLDEST_API: Final = (1, 44)
"""Health checks of our images use `StartInterval`, of API 1.44 (Engine 25)."""
NEWEST_API: Final = (1, 45)
"""The newest API version tested; newer engines still support it."""


def choose_api(version: Any) -> str:
    """Return the prefix of paths, `/v1.45`, from the answer to GET /version.

    Raises RejectedError for an engine that is too old or too new, and for an answer of something else.
    """
    call = Call("GET", "/version")
    try:
        newest = _api_number(version["ApiVersion"])
        oldest = _api_number(version.get("MinAPIVersion", "1.0"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise rubbish(call, f"no ApiVersion in {version!r}") from None
    chosen = min(newest, NEWEST_API)
    if chosen < OLDEST_API or oldest > NEWEST_API:
        raise RejectedError(
            f"{call}: the engine speaks API {_dotted(oldest)} to {_dotted(newest)}, and one of "
            f"{_dotted(OLDEST_API)} to {_dotted(NEWEST_API)} is needed (Engine 25 or later); install another"
        )
    return f"/v{_dotted(chosen)}"


def _api_number(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _dotted(number: tuple[int, int]) -> str:
    return f"{number[0]}.{number[1]}"
