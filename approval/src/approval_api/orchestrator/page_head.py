"""Reads which event a page begins with, without parsing the page: it may be too dangerous to parse."""

import re
from dataclasses import dataclass
from uuid import UUID

_ID = rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_HEAD = re.compile(
    rb"""\{"journal":"(?P<journal>%b)","events":\[
         \{"journal":"(?P=journal)","seq":(?P<seq>[0-9]{1,18}),"session_id":"(?P<session>%b)",
         "at":"[^"\\]{1,40}","data":\{"type":"(?P<type>[a-z_]{1,40})"
    """
    % (_ID, _ID),
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class PageHead:
    """The event that a page begins with. Its content comes after these fields and cannot forge them."""

    journal: UUID
    seq: int
    session_id: UUID
    type: str
    size: int
    """Bytes of the page that were received."""


def read_head(body: bytes) -> PageHead | None:
    """Return the head of a page as the orchestrator writes it; None for anything else."""
    found = _HEAD.match(body)
    if found is None:
        return None
    return PageHead(
        UUID(found["journal"].decode()),
        int(found["seq"]),
        UUID(found["session"].decode()),
        found["type"].decode(),
        len(body),
    )
