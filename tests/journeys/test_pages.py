"""A whole dry-run in real browsers, on the real engine: two people, and an API that dies meanwhile."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from chromium import Watched, launched, open_context
from local_stack import Stack
from playwright.async_api import Page, expect

from approval_api.database.engine import create_engine
from approval_api.identity.roles import Role
from approval_api.people import bootstrap

pytestmark = [pytest.mark.engine, pytest.mark.timeout(420)]

PASSWORD = "three words that nobody guesses"


@pytest.fixture
async def people(
    start_stack: Callable[..., Awaitable[Stack]],
) -> AsyncIterator[tuple[Stack, Watched, Watched]]:
    stack = await start_stack()
    async with AsyncExitStack() as exits:
        browsers = [await exits.enter_async_context(launched()) for _ in range(2)]
        ada, grace = [await open_context(browser, stack.api.url) for browser in browsers]
        yield stack, ada, grace
        for watched in (ada, grace):
            assert not watched.complaints


async def come_by_invitation(stack: Stack, watched: Watched, name: str, *roles: Role) -> Page:
    engine = create_engine(stack.database_url)
    async with engine.begin() as connection:
        path = await bootstrap.invite(connection, name, roles, only_first=False)
    await engine.dispose()
    assert path is not None
    page = await watched.context.new_page()
    await page.goto(path)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


async def arrivals(page: Page) -> list[str]:
    arrived: list[str] = await page.evaluate(
        "[...document.querySelectorAll('#arrivals > li')].map(row => row.id)"
    )
    return arrived


async def start_small(ada: Page) -> UUID:
    await ada.get_by_role("link", name="Templates").click()
    await ada.get_by_role("button", name="Start a dry-run of Small company").click()
    await expect(ada.locator("#status")).to_be_visible()
    return UUID(ada.url.rpartition("/")[2])


async def watch_to_the_end(stack: Stack, session_id: UUID, pages: tuple[Page, ...]) -> None:
    """Both watch; the API dies in the middle and comes again, and nobody misses anything."""
    for page in pages:
        await page.evaluate("window.notReloaded = true")
        await expect(page.locator(".target.is-healthy")).to_have_count(5)
        await expect(page.locator("#status")).to_have_attribute("data-phase", "scanning")
        await expect(page.locator("#arrivals > li").first).to_be_visible()
    await stack.api.kill()
    await stack.api.start()
    seen = []
    for page in pages:
        await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")
        await expect(page.locator("#status .badge")).to_have_text("completed")
        assert await page.evaluate("window.notReloaded")
        seen.append(await arrivals(page))
    reported = [event for event in await stack.events(session_id) if event.data.type == "discovery_reported"]
    assert seen == [[f"d-{event.seq}" for event in reversed(reported)]] * len(pages)


async def decide_on_three(ada: Page, grace: Page, session_id: UUID) -> None:
    """One by its button, two by the keyboard; who may only look sees it."""
    await ada.get_by_role("link", name="Decide on discoveries").click()
    await ada.locator("select[name=kind]").select_option("table")
    await expect(ada).to_have_url(re.compile("kind=table"))
    await ada.get_by_label("Note").fill("known")
    await ada.locator("tr[data-row]").first.get_by_role("button", name="Approve").click()
    await expect(ada.locator("tr.is-approved")).to_have_count(1)
    await ada.locator("tr[data-row]").nth(1).focus()
    await ada.keyboard.press("r")
    await ada.keyboard.press("r")
    await expect(ada.locator("tr.is-rejected")).to_have_count(2)
    await grace.goto(f"/dryrun/discoveries?session={session_id}&status=rejected")
    await expect(grace.locator("tr[data-row]")).to_have_count(2)
    assert await grace.get_by_role("button", name="Reject").count() == 0


async def read_the_report(page: Page, session_id: UUID) -> None:
    await page.goto(f"/dryrun/sessions/{session_id}/report")
    await expect(page.get_by_role("heading", name="Dry-run of small")).to_be_visible()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="CSV").click()
    download = await downloading.value
    assert download.suggested_filename == f"dryrun-small-{str(session_id)[:8]}.csv"
    assert (await download.path()).read_text(encoding="utf-8").count("\n") > 20


async def sign_out_and_in(page: Page, path: str) -> None:
    """Nothing is shown any more before the name and password are."""
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(path)
    await page.get_by_label("Name").fill("ada")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#status .badge")).to_have_text("completed")
    assert page.url.endswith(path)


async def test_two_people_rehearse_decide_and_compare(people: tuple[Stack, Watched, Watched]) -> None:
    stack, ada_watched, grace_watched = people
    expect.set_options(timeout=120_000)
    ada = await come_by_invitation(stack, ada_watched, "ada", Role.OPERATOR, Role.APPROVER)
    grace = await come_by_invitation(stack, grace_watched, "grace", Role.VIEWER)
    session_id = await start_small(ada)
    await grace.goto("/dryrun/sessions")
    await grace.get_by_role("link", name=re.compile(str(session_id)[:8])).click()
    assert await grace.get_by_role("button", name="Stop").count() == 0
    await watch_to_the_end(stack, session_id, (ada, grace))
    for watched in (ada_watched, grace_watched):
        watched.forget_failed_requests()
    # Another one to compare with, while Ada decides.
    other_id = await stack.start_session("small")
    await decide_on_three(ada, grace, session_id)
    await read_the_report(grace, session_id)
    await stack.wait_until_ended(other_id)
    await ada.goto(f"/dryrun/compare?b={other_id}")
    await expect(ada.get_by_label("Before")).to_have_value(str(session_id))
    await expect(ada.get_by_role("table").first).to_contain_text("Recall")
    await sign_out_and_in(ada, f"/dryrun/sessions/{session_id}")
