"""What the engine is asked for to list containers or networks for a client, and what of it is shown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from docker_guard.rules import labels


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of what sessions have.

    The engine takes a name for a regular expression, and reads it anew for each container: a list with 32
    of them costs it as much as thirty. So names are compared here, as plain texts.
    """

    query: Mapping[str, str]
    """What the engine is asked for."""
    _names: tuple[str, ...]
    _most: int | None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the list that a client's query asks for; its filters can only narrow it."""
        asked, most = dict(query), None
        filters = json.loads(asked.get("filters", "{}"))
        names = filters.pop("name", ())
        if names and int(asked.get("limit", "0")) > 0:
            # The engine would count those with other names too. Within a limit, it lists what has ended.
            most, asked["all"] = int(asked.pop("limit")), "1"
        filters["label"] = [labels.SESSION_ID, *filters.get("label", ())]
        asked["filters"] = json.dumps(filters)
        return cls(asked, tuple(names), most)

    def chosen(self, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those that the client asked for of what the engine lists, newest first."""
        return [each for each in listed if self._is_named(each)][: self._most]

    def _is_named(self, listed: Mapping[str, Any]) -> bool:
        return not self._names or any(part in name for name in names_of(listed) for part in self._names)


def names_of(listed: Mapping[str, Any]) -> list[str]:
    """Return the names of a listed container, each with a slash before it, or of a listed network."""
    return listed.get("Names") or [listed.get("Name", "")]
