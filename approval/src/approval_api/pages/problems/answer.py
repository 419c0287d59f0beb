"""Errors as people in a browser see them: what happened, and what to do."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from approval_api.pages.rendering import Pages, page, see_other
from approval_api.web.origin import own_path
from dryrun_contract.problem import Problem

_LISTS = {
    "/dryrun/sessions/": "sessions",
    "/dryrun/experiments/": "experiments",
    "/dryrun/checks/": "checked forecasts",
    "/dryrun/schedules/": "schedules",
    "/production/discoveries/": "production discoveries",
    "/production/rules/": "approval rules",
    "/production/deliveries/": "deliveries",
    "/people/": "people",
}
"""Pages of one thing, by the beginning of their paths, and what the page above them lists."""
_API = ("/api/", "/livez", "/readyz", "/metrics", "/openapi.json")


def answer_with_page(
    request: Request, problem: Problem, headers: Mapping[str, str] | None
) -> Response | None:
    """Return an error as a page, a part of one for htmx, or the way to sign in; None for programs."""
    if request.url.path.startswith(_API) or "text/html" not in request.headers.get("accept", ""):
        return None
    by_script = request.headers.get("hx-request") == "true"
    if problem.status == 401 and not request.url.path.startswith("/sign-in"):
        # After signing in, only what changes nothing is repeated.
        back = _asked(request)
        way = (
            "/sign-in" if request.method != "GET" or back == "/" else f"/sign-in?next={quote(back, safe='')}"
        )
        if by_script:
            return Response(status_code=204, headers={"HX-Redirect": "/sign-in"})
        return see_other(way)
    visitor = request.scope.get("person")
    if by_script:
        pages: Pages = request.app.state.pages
        html = pages.render("problems/problem_part.html", problem=problem)
        # 200: htmx puts it where the header says, and nothing else of the page changes.
        return HTMLResponse(html, headers={"HX-Retarget": "#toast", "HX-Reswap": "innerHTML"})
    return page(
        request,
        "problems/problem.html",
        visitor,
        status=problem.status,
        headers=headers,
        problem=problem,
        back=_back(request),
        again=_again(request, headers),
        listed=_list_above(request, problem),
    )


def _asked(request: Request) -> str:
    return own_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def _back(request: Request) -> str | None:
    """Return the page of ours that a form was sent from: what was typed is often still there."""
    came = urlsplit(request.headers.get("referer", ""))
    if request.method == "GET" or came.netloc != request.headers.get("host"):
        return None
    return own_path(came.path + (f"?{came.query}" if came.query else ""))


def _again(request: Request, headers: Mapping[str, str] | None) -> str | None:
    """Return the page that was asked for, where the same request may succeed soon and changes nothing."""
    if request.method != "GET" or "Retry-After" not in (headers or {}):
        return None
    return _asked(request)


def _list_above(request: Request, problem: Problem) -> tuple[str, str] | None:
    """Return path and contents of the list that has the thing which a link or an address got wrong."""
    if request.method != "GET" or problem.status not in (404, 422):
        return None
    beginning = next((path for path in _LISTS if request.url.path.startswith(path)), None)
    return (beginning.rstrip("/"), _LISTS[beginning]) if beginning else None
