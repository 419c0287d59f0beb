"""Turns data into pages: one environment, escaping always on, and the headers that every page carries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from approval_api.identity.person import Person
from approval_api.pages.assets import Assets
from approval_api.pages.words import FILTERS

FOLDER = Path(__file__).parent


class Pages:
    """What all pages share."""

    def __init__(self, *, dryrun: str) -> None:
        """Load what does not change; `dryrun` is the setting, `on` or `off`."""
        self.assets = Assets()
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= FILTERS
        self._environment.globals |= {"asset": self.assets.url, "dryrun": dryrun}

    def render(self, file: str, /, **values: Any) -> str:
        """Render a template, named by its path in this folder."""
        return self._environment.get_template(file).render(values)


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


def see_other(url: str) -> RedirectResponse:
    """Send the browser on to another page, which it loads by GET."""
    return RedirectResponse(url, 303)
