"""Turns data into pages: one environment, escaping always on, and the headers that every page carries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from approval_api.identity.person import Person
from approval_api.pages.assets import Assets
from approval_api.pages.live import LiveSessions
from approval_api.pages.session_state import Arrival, SessionState
from approval_api.pages.words import FILTERS
from approval_api.sessions.stored import StoredSession

HTML = Path(__file__).parent / "html"
LIVE_FRAGMENTS = ("status", "collectors", "targets", "tally", "notes", "outcome")
"""Parts of a session's page that change while it runs: the files `live/*.html`, by the ids they carry."""


class Pages:
    """What all pages share."""

    def __init__(self, *, dryrun: str) -> None:
        """Load what does not change; `dryrun` is the setting, `on` or `off`."""
        self.assets = Assets()
        self.live = LiveSessions(self.live_fragments, self.arrival)
        self._environment = Environment(
            loader=FileSystemLoader(HTML),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= FILTERS
        self._environment.globals |= {"asset": self.assets.url, "dryrun": dryrun}

    def render(self, file: str, /, **values: Any) -> str:
        """Render one file of the folder `html`."""
        return self._environment.get_template(file).render(values)

    def live_fragments(self, stored: StoredSession, state: SessionState) -> dict[str, str]:
        """Render the parts of a session's page that change, by id. They are the same for every viewer."""
        values = session_values(stored, state)
        return {name: self.render(f"live/{name}.html", **values) for name in LIVE_FRAGMENTS}

    def arrival(self, arrival: Arrival) -> str:
        """Render one discovery as it arrives."""
        return self.render("live/arrival.html", arrival=arrival)


def session_values(stored: StoredSession, state: SessionState) -> dict[str, Any]:
    """Return what the parts of a session's page show."""
    session = stored.view
    return {
        "session": session,
        "template": stored.template,
        "state": state,
        "steps": state.steps(keep=session.keep, phase=session.phase, outcome=session.outcome),
    }


def page(
    request: Request,
    file: str,
    visitor: Person | None,
    /,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Answer with a whole page, or with a part of one when a script asks for that."""
    pages: Pages = request.app.state.pages
    html = pages.render(file, visitor=visitor, path=request.url.path, **values)
    return HTMLResponse(html, status, headers=dict(headers or {}))
