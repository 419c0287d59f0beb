"""Opaque cursors for lists that are paged by key, so that rows added meanwhile shift nothing."""

import base64
import json
from collections.abc import Callable

from approval_api.problems import ProblemError
from dryrun_contract.problem import Fault


def to_cursor(*key: str | int | None) -> str:
    """Pack the last row's sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def from_cursor[T](cursor: str | None, read: Callable[[list[object]], T]) -> T | None:
    """Unpack a cursor by `read`, which raises ValueError or TypeError for what it did not make itself.

    Raises a 422 problem when the cursor is not one of ours.
    """
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return read(list(key))
    except (ValueError, TypeError, OverflowError) as error:
        raise ProblemError(
            "invalid-request",
            422,
            "the cursor is not one this list gave out; leave it away to start at the beginning",
            title="The request is not valid",
            faults=(Fault(where="query.cursor", what="not a cursor of this list"),),
        ) from error
