"""The labels on everything a session owns; cleanup goes by them and by nothing else."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

SESSION_ID = "discovery.dryrun.session_id"
OWNER = "discovery.dryrun.owner"
SERVICE = "discovery.dryrun.service"
ROLE = "discovery.dryrun.role"
TEMPLATE = "discovery.dryrun.template"
IMAGE = "discovery.dryrun.image"
EXPIRES_AT = "discovery.dryrun.expires_at"

ANY_TEMPLATE = "any.template"
"""The template of a network that is prepared for any: the guard lets its containers name another."""

type Role = Literal["target", "collector"]


def network_name(session_id: UUID) -> str:
    """Return the name of a session's network (the record: `dryrun-{session_id}`)."""
    return f"dryrun-{session_id}"


def bridge_name(session_id: UUID) -> str:
    """Return the bridge's interface name: `dr-` and 12 hex digits, 15 bytes as Linux allows (IFNAMSIZ).

    The host rule drops what passes between `dr-*` and anything else.
    """
    return f"dr-{session_id.hex[:12]}"


def rfc3339(moment: datetime) -> str:
    """Format a time for the label `expires_at`: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> datetime:
    """Parse the label `expires_at`. Raises ValueError for any other format."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
