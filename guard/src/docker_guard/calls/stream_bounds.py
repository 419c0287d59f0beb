"""Bounds the long-lived connections that cost much: readers of logs and events, writers to standard input."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from docker_guard.refusal import Refusal

_MOST_INPUTS, _MOST_COUNTED = 16, 1000


class Readers:
    """Bounds concurrent readers of each of several things.

    Of a log, because the engine keeps a rotated file for as long as anybody reads it: each reader can hold as
    much disk as the log's ceiling. Of events for one client, because each event is read once for each.
    """

    def __init__(self, most: int, of_what: str) -> None:
        self._most = most
        self._of_what = of_what
        self._reading: Counter[str] = Counter()

    @contextmanager
    def reading(self, key: str) -> Iterator[None]:
        """Count a reader. Raises Refusal when there are too many."""
        if self._reading[key] >= self._most:
            raise Refusal("crowd", f"at most {self._most} readers of {self._of_what}; try again", 503)
        self._reading[key] += 1
        try:
            yield
        finally:
            self._reading[key] -= 1
            self._reading += Counter()  # drops what has no reader


class Inputs:
    """Bounds how often anybody writes to one container's standard input: once at a time, and a few times.

    A process that does not read holds whatever copies input to it in the engine, until the container is gone.
    """

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._counts: dict[str, int] = {}

    @contextmanager
    def writing(self, container_id: str) -> Iterator[None]:
        """Count a writer. Raises Refusal when there is one, or were too many."""
        count = self._counts.pop(container_id, 0)
        if len(self._counts) >= _MOST_COUNTED:
            del self._counts[next(iter(self._counts))]  # counted least recently
        self._counts[container_id] = count
        if container_id in self._open:
            raise Refusal("crowd", "the container's input is being written; try again", 503)
        if count >= _MOST_INPUTS:
            raise Refusal("crowd", f"a container's input may be written {_MOST_INPUTS} times")
        self._counts[container_id] += 1
        self._open.add(container_id)
        try:
            yield
        finally:
            self._open.discard(container_id)
