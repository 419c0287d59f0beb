"""Opaque cursors for lists that are paged by key, so that rows added meanwhile do not shift pages."""

import base64
import json
from collections.abc import Callable, Sequence

from approval_api.database.storable import storable_text
from approval_api.web.problems import ProblemError
from dryrun_contract.bounded_json import JsonBounds, read_json
from dryrun_contract.problem import Fault

_KEY = JsonBounds(size=2048, values=8, depth=1)
"""200 characters of a discovery's key, escaped, and a number."""


def to_cursor(*key: str | int | None) -> str:
    """Pack the last row's sort key."""
    packed = json.dumps(key, ensure_ascii=False).encode("utf-8", "replace")
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def from_cursor[T](cursor: str | None, read: Callable[[list[object]], T]) -> T | None:
    """Unpack a cursor by `read`, which raises ValueError or TypeError for a cursor of another list.

    Raises a 422 problem when this list did not issue the cursor.
    """
    if cursor is None:
        return None
    try:
        return read(_unpack(cursor))
    except (ValueError, TypeError, OverflowError) as error:
        raise ProblemError(
            "invalid-request",
            422,
            "this list did not issue the cursor; leave it out to start at the beginning",
            title="The request is not valid",
            faults=(Fault(where="query.cursor", what="not a cursor of this list"),),
        ) from error


def cut[T](
    found: Sequence[T], limit: int, key_of: Callable[[T], tuple[str | int | None, ...]]
) -> tuple[tuple[T, ...], str | None]:
    """Return the first `limit` of rows and the cursor of those after them, None where there are none.

    `found` are one more than `limit`, if there are that many; `key_of` returns the sort key of a row.
    """
    shown = tuple(found[:limit])
    return shown, to_cursor(*key_of(shown[-1])) if len(found) > limit else None


def row_id(key: list[object]) -> int:
    """Read the cursor of a list that is sorted by rows' ids. Raises ValueError for any other."""
    (found,) = key
    if not isinstance(found, int) or not 0 <= found < 2**63:
        raise ValueError("a cursor of this list holds a row's id")
    return found


def _unpack(cursor: str) -> list[object]:
    if len(cursor) > 2 * _KEY.size:
        raise ValueError("too long")
    key = read_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), _KEY)
    if not isinstance(key, list):
        raise TypeError("not a list")
    if any(isinstance(part, str) and storable_text(part) != part for part in key):
        raise ValueError("a text that the database cannot store")
    return list(key)
