"""A session with everything its report and its page need."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from approval_api.sessions.held_places import HeldPlace
from dryrun_contract.session import SessionView
from dryrun_contract.template import Template


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """Stored criteria as they were when something was requested."""

    name: str
    criteria: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as stored."""

    view: SessionView
    template: Template | None
    """As it was at the start, ground truth included; None when this API did not start the session, or
    cannot read what another version stored (`view.unread`)."""
    history_complete: bool
    criteria: Mapping[str, JsonValue] | None = None
    """What it is judged by, as stored at its start; None for the built-in criteria."""
    held_places: tuple[HeldPlace, ...] = ()
    """The sessions whose places it waits for; none when it does not wait."""
