"""Which trace a span belongs to, as services pass it on: the header `traceparent` of W3C Trace Context.

The trace of a session has its id, and its spans that outlive a process have ids that follow from it. So a
process that starts again after a crash continues the trace without having to remember a span.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self
from uuid import UUID

HEADER = "traceparent"
_FORM = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span's place: 128 bits that name its trace, 64 that name it there; neither is zero."""

    trace_id: int
    span_id: int

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Return what a header says; None for any form but version 00, as the specification has it.

        >>> TraceContext.read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").header()
        '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
        >>> TraceContext.read("00-00000000000000000000000000000000-b7ad6b7169203331-01")
        """
        found = None if text is None else _FORM.fullmatch(text)
        if found is None or not int(found["trace"], 16) or not int(found["span"], 16):
            return None
        return cls(int(found["trace"], 16), int(found["span"], 16))

    def header(self) -> str:
        """Return the value of the header; what this project traces is always sampled."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    def child(self, name: str) -> Self:
        """Return the place of the only child with this name: the same in every process."""
        digest = blake2b(f"{self.header()} {name}".encode(), digest_size=8).digest()
        return type(self)(self.trace_id, int.from_bytes(digest) or 1)


def request_of(session_id: UUID) -> TraceContext:
    """Return the place of a session's first span: its request."""
    return TraceContext(session_id.int, 1).child("request")
