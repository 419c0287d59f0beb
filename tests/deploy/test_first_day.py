"""The first day of a new deployment in a browser: the first administrator comes in and starts a dry-run."""

import pytest
from chromium import launched, open_context
from deployment import Deployment
from playwright.async_api import expect

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(300)]

PASSWORD = "three words that nobody guesses"


async def test_the_first_administrator_comes_in_by_a_link_and_watches_a_dry_run(deployment: Deployment):
    expect.set_options(timeout=120_000)
    invite = ("run", "--rm", "--no-TTY", "migrate", "invite", "ada", "--first", "--url", deployment.url)
    link = deployment.compose(*invite).splitlines()[-1]
    assert link.startswith(deployment.url)
    async with launched() as browser:
        watched = await open_context(browser, deployment.url)
        page = await watched.context.new_page()
        await page.goto(link)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Save and sign in").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await page.get_by_role("link", name="Templates").click()
        await page.get_by_role("button", name="Start a dry-run of Small company").click()
        await expect(page.locator(".target.is-healthy")).to_have_count(5)
        await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")
        await expect(page.locator("#status .badge")).to_have_text("completed")
        assert not watched.complaints
    # An administrator can sign in now: nobody gets another first link.
    assert deployment.compose(*invite) == ""
