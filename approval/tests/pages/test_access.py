"""Who may see which page; a page that is on no list fails here."""

import re

from site_map import DOORS, PLACES

from approval_api.app import create_app

ACTIONS = {
    ("POST", "/sign-out"),
    ("POST", "/dryrun/sessions"),
    ("POST", "/dryrun/sessions/{session_id}/stop"),
}
"""What pages send; who may is the business of the route table."""
STREAMS = {("GET", "/dryrun/sessions/{session_id}/live")}
OPEN_TO_ALL = {
    ("GET", "/assets/{version}/{name}"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/openid"),
    ("GET", "/sign-in/openid/callback"),
    ("POST", "/invitation"),
}


def routes_of(app):
    for route in app.routes:
        yield from route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else [route]


def pages_of(app):
    programs = ("/api/", "/openapi.json", "/livez", "/readyz", "/metrics")
    return {
        (method, route.path_format)
        for route in routes_of(app)
        for method in route.methods - {"HEAD", "OPTIONS"}
        if not route.path_format.startswith(programs)
    }


async def test_every_page_is_on_a_list(api):
    known = {("GET", place.route or place.path) for place in (*PLACES, *DOORS)}
    assert pages_of(api.app) == known | ACTIONS | STREAMS | OPEN_TO_ALL


async def test_nobody_sees_a_page_without_signing_in(api):
    for method, path in sorted(pages_of(api.app) - OPEN_TO_ALL):
        if path in {place.route or place.path for place in DOORS}:
            continue
        concrete = re.sub(r"{\w+}", "7c9e6679-7425-40de-944b-e07fc1f90ae7", path)
        answer = await api.client.request(
            method, concrete, headers={"Accept": "text/html", "Authorization": ""}
        )
        assert answer.status_code == 303, concrete
        assert answer.headers["location"].startswith("/sign-in"), concrete


async def test_every_page_and_every_error_of_one_has_the_strict_headers(api):
    nobody = {"Accept": "text/html", "Authorization": ""}
    for path in ("/sign-in", "/", "/dryrun/templates", "/dryrun/sessions/nothing", "/nothing"):
        answer = await api.client.get(path, headers=nobody if path == "/sign-in" else {"Accept": "text/html"})
        assert answer.headers["content-type"].startswith("text/html"), path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", answer.text), path


async def test_without_dry_runs_their_pages_say_so_and_no_page_offers_them(settings, serving):
    off = create_app(settings.model_copy(update={"dryrun": "off"}))
    async with serving(off) as api:
        for path in ("/dryrun/templates", "/dryrun/sessions", "/dryrun/anything"):
            answer = await api.client.get(path, headers={"Accept": "text/html"})
            assert answer.status_code == 501, path
            assert "Dry-run is switched off" in answer.text
            assert "APPROVAL_DRYRUN=off" in answer.text
        overview = (await api.client.get("/", headers={"Accept": "text/html"})).text
        assert "switched off in this deployment" in overview
        assert 'href="/dryrun' not in overview
