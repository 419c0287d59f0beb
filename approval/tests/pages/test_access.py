"""Who may see which page; a page that no browser test looks at fails here."""

import html
import re

from approval_routes import OPEN, ROUTES
from site_map import DOORS, PLACES

from approval_api.app import create_app
from approval_api.identity.roles import PERMISSIONS, Role

PROGRAMS = ("/api/", "/livez", "/readyz", "/metrics")
NO_PAGES = {
    "/assets/{version}/{name:path}",
    "/badges/{badge_id}.{shape}",
    "/dryrun/sessions/{session_id}/live",
    "/sign-in/openid",
    "/sign-in/openid/callback",
}
OF_PAGES = {route: permission for route, permission in ROUTES.items() if not route[1].startswith(PROGRAMS)}


def test_every_page_is_looked_at_in_a_browser():
    shown = {path for method, path in OF_PAGES if method == "GET"} - NO_PAGES
    assert {place.route or place.path.partition("?")[0] for place in (*PLACES, *DOORS)} == shown


def test_every_page_is_looked_at_by_whoever_may_see_it():
    for place in PLACES:
        permission = ROUTES["GET", place.route or place.path.partition("?")[0]]
        assert set(place.roles) == {role for role, given in PERMISSIONS.items() if permission in given}, place


async def test_nobody_sees_a_page_without_signing_in(api):
    for (method, path), permission in OF_PAGES.items():
        if permission is OPEN:
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


async def test_settings_and_overview_show_a_viewer_no_address_and_no_programs_name(
    api, browsers, orchestrator, eventually
):
    orchestrator.down = True
    follower = api.app.state.follower

    async def away():
        return not follower.state.following and follower.state.detail != "starting"

    await eventually(away)
    detail = follower.state.detail
    assert detail
    shown = {}
    for role in Role:
        browser = await browsers(f"some-{role}", role)
        pages = [
            (await browser.client.get(path, headers={"Accept": "text/html"})).text
            for path in ("/settings", "/")
        ]
        shown[role] = html.unescape("".join(pages))
    for secret in (detail, "http://orchestrator", "127.0.0.1:8470", "bob"):
        assert secret in shown[Role.ADMIN], secret
        for role in (Role.VIEWER, Role.OPERATOR, Role.APPROVER):
            assert secret not in shown[role], (role, secret)


async def test_the_account_page_makes_a_token_for_named_collectors(browsers):
    ada = await browsers("ada", Role.OPERATOR)
    fields = {"label": "scan", "scope": "collect", "collectors": "network, database", "csrf_token": ada.csrf}
    page = await ada.client.post("/account/tokens", data=fields)
    assert "as database, network" in page.text
    refused = await ada.client.post(
        "/account/tokens", data={**fields, "collectors": ""}, headers={"Accept": "text/html"}
    )
    assert (refused.status_code, "go together" in refused.text) == (422, True)
    assert ": the scope" not in refused.text


async def test_who_removes_a_token_is_told_that_schedules_pause_with_it(browsers):
    ada = await browsers("ada", Role.ADMIN)
    await ada.ask("POST", "/me/tokens", json={"label": "nightly", "scopes": ["read", "run"]})
    ada_id = (await ada.ask("GET", "/people")).json()["people"][0]["id"]
    for path in ("/account", f"/people/{ada_id}"):
        page = (await ada.client.get(path, headers={"Accept": "text/html"})).text
        assert "schedules that were made or resumed with it pause" in page


async def test_the_scope_of_an_administrator_says_everything_that_it_allows(browsers):
    ada = await browsers("ada", Role.ADMIN)
    page = (await ada.client.get("/account", headers={"Accept": "text/html"})).text
    assert "remove tokens; add, check and remove destinations; publish badges" in page
