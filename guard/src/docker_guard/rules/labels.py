"""The labels that assign a container or network to a session, and the names derived from a session's id."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from docker_guard.refusal import Refusal, shown

PREFIX = "discovery.dryrun."
SESSION_ID = f"{PREFIX}session_id"
OWNER = f"{PREFIX}owner"
SERVICE = f"{PREFIX}service"
ROLE = f"{PREFIX}role"
TEMPLATE = f"{PREFIX}template"
IMAGE = f"{PREFIX}image"
EXPIRES_AT = f"{PREFIX}expires_at"
SHARED = (SESSION_ID, OWNER, TEMPLATE, EXPIRES_AT)
"""The labels of a network; every container of its session carries them with the same values."""
ANY_TEMPLATE = "any.template"
"""The template of a network made before its session was requested: its containers name the session's own."""
OF_CONTAINER = (*SHARED, SERVICE, ROLE, IMAGE)

type Role = Literal["target", "collector"]

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def session_of(labels: Mapping[str, Any] | None) -> str | None:
    """Return the session's id if the label holds one in canonical form; anything else is foreign."""
    text = (labels or {}).get(SESSION_ID)
    if not isinstance(text, str):
        return None
    try:
        return text if str(UUID(text)) == text else None
    except ValueError:
        return None


def checked(labels: Mapping[str, str], wanted: tuple[str, ...]) -> str:
    """Return the session's id if the labels' keys are exactly `wanted`. Raises Refusal."""
    if labels.keys() != set(wanted):
        missing, foreign = sorted(set(wanted) - labels.keys()), sorted(labels.keys() - set(wanted))
        raise Refusal("labels", f"labels missing: {missing}, not allowed: {shown(foreign)}")
    session_id = session_of(labels)
    if session_id is None:
        raise Refusal("labels", f"{SESSION_ID} is not a UUID in canonical form")
    for key in (OWNER, TEMPLATE, SERVICE):
        if key in labels and not _WORD.fullmatch(labels[key]):
            raise Refusal("labels", f"{key} is not a plain word: {shown(labels[key])}")
    return session_id


def network_name(session_id: str) -> str:
    """Return the name of a session's network."""
    return f"dryrun-{session_id}"


def bridge_name(session_id: str) -> str:
    """Return the name of a session's bridge; the host's packet filter matches its prefix."""
    return f"dr-{UUID(session_id).hex[:12]}"


def parse_moment(text: Any) -> datetime | None:
    """Parse `expires_at`: RFC 3339, UTC, whole seconds, in one form. None for anything else."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
    return moment if moment.strftime("%Y-%m-%dT%H:%M:%SZ") == text else None
