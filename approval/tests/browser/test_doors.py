"""Signing in and out, what goes wrong at it, and a deployment without dry-runs."""

import pytest
from chromium import open_context
from playwright.async_api import expect

from approval_api.app import create_app
from approval_api.identity.roles import Role
from approval_api.people import logins, repository

pytestmark = pytest.mark.browser

PASSWORD = "several words of nobody"


async def test_signing_in_leads_back_to_the_page_that_asked_for_it(site):
    await site.add_person("ada", Role.ADMIN, password=PASSWORD)
    page = await site.visit(None, "/audit?outcome=refused")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("Name").fill("ada")
    await page.get_by_label("Password").fill("not the right one at all")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("name or the password is wrong")
    await expect(page.get_by_label("Name")).to_have_value("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    assert page.url.endswith("/audit?outcome=refused")
    await expect(page.get_by_role("rowheader", name="sign in")).to_have_count(1)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.go_back()
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    site.contexts[0].forget_failed_requests()  # the browser reports the 401


async def test_an_administrator_invites_somebody_who_then_makes_a_token(site):
    admin = await site.visit(Role.ADMIN, "/people")
    await admin.get_by_label("Name to sign in with").fill("grace")
    await admin.get_by_label("operator").check()
    await admin.get_by_role("button", name="Add and create an invitation link").click()
    link = await admin.locator(".secret-value").inner_text()
    page = await site.visit(None, link)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Save and sign in").click()
    await page.get_by_role("link", name="grace").click()
    await page.get_by_label("Purpose").fill("nightly rehearsal")
    await page.get_by_label("start and stop dry-runs").check()
    await page.get_by_role("button", name="Create token").click()
    secret = await page.locator(".secret-value").inner_text()
    answer = await site.api.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["permissions"] == ["read", "run"]
    site.contexts[1].answers_dialogs = True
    await page.get_by_role("button", name="Remove nightly rehearsal").click()
    await expect(page.get_by_text("Programs use a token in place of a password")).to_be_visible()
    answer = await site.api.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 401


async def test_what_is_refused_is_shown_with_the_way_back(site):
    page = await site.visit(Role.VIEWER, "/people")
    await expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    await expect(page.locator(".problem")).to_contain_text("An administrator can change roles")
    await page.goto("/account")
    await page.get_by_label("Current password").fill("not the right one")
    await page.get_by_label("New password").fill("another one with many words")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.locator(".problem")).to_contain_text("The current password is wrong")
    await page.get_by_role("link", name="Go back").click()
    await expect(page.get_by_role("heading", name="API tokens")).to_be_visible()
    site.contexts[0].forget_failed_requests()  # the browser reports the 403s


async def test_an_unreachable_orchestrator_is_shown_and_records_stay(site):
    session = await site.start_session()
    session.whole()
    await site.until_phase(session, "ended")
    site.orchestrator.down = True
    site.orchestrator.wake()
    page = await site.visit(Role.OPERATOR, "/dryrun/templates")
    await expect(page.locator(".problem")).to_contain_text("The orchestrator does not answer")
    await page.goto(f"/dryrun/sessions/{session.id}")
    await expect(page.locator("#status .badge")).to_have_text("completed")
    site.contexts[0].forget_failed_requests()  # the browser reports the 503


async def test_without_dry_runs_no_page_offers_them_and_settings_say_why(settings, serving, chromium, engine):
    off = create_app(settings.model_copy(update={"dryrun": "off"}))
    async with serving(off) as api:
        url = str(api.client.base_url).rstrip("/")
        async with engine.begin() as connection:
            person = await repository.add(
                connection, name="ada", display_name="Ada", roles=[Role.ADMIN], created_by="the test"
            )
            secret = await logins.begin(connection, person, "127.0.0.1")
        watched = await open_context(chromium, url)
        await watched.context.add_cookies([{"name": "approval", "value": secret, "url": url}])
        page = await watched.context.new_page()
        await page.goto("/")
        await expect(page.get_by_text("Dry-runs are switched off in this deployment")).to_be_visible()
        for path in ("/production/discoveries", "/people", "/audit", "/account", "/settings"):
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            assert await page.locator("a[href^='/dryrun']").count() == 0, path
        await expect(page.get_by_text("APPROVAL_DRYRUN=off")).to_be_visible()
        assert watched.complaints == []
        await page.goto("/dryrun/sessions")
        await expect(page.get_by_role("heading", name="Dry-run is switched off")).to_be_visible()
        await watched.context.close()
