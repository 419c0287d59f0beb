"""The parts of a session's page that change while it runs, rendered once for every viewer."""

from typing import Any

from approval_api.pages.rendering import Pages
from approval_api.pages.sessions.live import LiveSessions
from approval_api.pages.shown_session import Arrival, ShownSession
from approval_api.pages.topology import draw
from approval_api.sessions.held_places import named_first
from approval_api.sessions.stored import StoredSession

LIVE_FRAGMENTS = ("status", "network", "collectors", "targets", "tally", "notes", "outcome")
"""The files `live/*.html`, by the ids they carry."""


def live_sessions(pages: Pages) -> LiveSessions:
    """Return the sessions that somebody looks at, none yet; `pages` renders them."""

    def fragments(stored: StoredSession, state: ShownSession) -> dict[str, str]:
        values = session_values(stored, state)
        return {name: pages.render(f"sessions/live/{name}.html", **values) for name in LIVE_FRAGMENTS}

    def arrival(arrival: Arrival) -> str:
        return pages.render("sessions/live/arrival.html", arrival=arrival)

    return LiveSessions(fragments, arrival)


def session_values(stored: StoredSession, state: ShownSession) -> dict[str, Any]:
    """Return what the parts of a session's page show."""
    session = stored.view
    held, more_held = named_first(stored.held_places, session.requested_by)
    return {
        "session": session,
        "held_places": held,
        "more_held": more_held,
        "template": stored.template,
        "state": state,
        "drawing": draw(stored.template.services) if stored.template else None,
        "steps": state.steps(keep=session.keep, phase=session.phase, outcome=session.outcome),
    }
