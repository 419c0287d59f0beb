"""The inputs of a report, in the form that is sent to the process that computes it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Self

from pydantic import TypeAdapter, ValidationError

from approval_api.sessions.stored import StoredSession
from dryrun_contract.event import Event

_STORED = TypeAdapter(StoredSession)


@dataclass(frozen=True, slots=True)
class Inputs:
    """A session, and its events as lines of JSON: discoveries apart from the others, both in order."""

    stored: bytes
    left_out: int
    others: bytes
    discoveries: bytes

    @classmethod
    def of(cls, stored: StoredSession, left_out: int, others: str, discoveries: str) -> Self:
        """Return the inputs of a session."""
        return cls(_STORED.dump_json(stored), left_out, others.encode(), discoveries.encode())

    def task(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Return the inputs as byte strings, for another process."""
        return self.stored, str(self.left_out).encode(), self.others, self.discoveries

    @classmethod
    def of_task(cls, stored: bytes, left_out: bytes, others: bytes, discoveries: bytes) -> Self:
        """Return the inputs from what `task` returned."""
        return cls(stored, int(left_out), others, discoveries)

    def session(self) -> StoredSession:
        """Return the session."""
        return _STORED.validate_json(self.stored)

    def events(self, refuse: Callable[[], None]) -> Iterator[Event]:
        """Yield the events in order; call `refuse` for each that the current contract does not accept."""

        def read(lines: bytes) -> Iterator[Event]:
            for line in lines.split(b"\n") if lines else ():
                try:
                    event = Event.model_validate(json.loads(line))
                except (ValidationError, RecursionError):
                    refuse()
                    continue
                yield event

        return merge(read(self.others), read(self.discoveries), key=lambda event: event.seq)
