"""A session's page while it runs: nothing is missed, nothing is shown twice, and hostile text stays text."""

import asyncio
import os

import pytest
from chromium import violations
from made_deliveries import store_deliveries
from playwright.async_api import expect
from scripted_session import HOSTILE, scan_all
from sqlalchemy import text

from approval_api.identity.roles import Role
from dryrun_contract.event import SessionPlaced, TargetChanged

pytestmark = pytest.mark.browser


async def arrivals(page):
    return await page.evaluate("[...document.querySelectorAll('#arrivals > li')].map(row => row.id)")


async def test_a_session_is_watched_from_start_to_end_without_reloading(site):
    page = await site.visit(Role.OPERATOR, "/dryrun/templates")
    await page.get_by_role("button", name="Start a dry-run of Small company").click()
    await expect(page.locator("#status")).to_have_attribute("data-phase", "queued")
    await page.evaluate("window.notReloaded = true")
    (session_id,) = site.orchestrator.sessions
    session = site.scripted(session_id)
    session.build()
    await expect(page.locator(".target.is-healthy")).to_have_count(2)
    await expect(page.locator("#network .node.is-healthy")).to_have_count(2)
    await expect(page.locator(".countdown")).to_contain_text("29 min")
    session.scan()
    await expect(page.locator("#status .step.is-now")).to_contain_text("scanning")
    await expect(page.locator(".run-message")).to_contain_text("1 of 2: scanning 10.213.0.3")
    await expect(page.locator("#network .scanner.is-scanning")).to_have_count(1)
    await expect(page.locator("#network .node.is-found")).to_have_count(2)
    found = 4 + len(HOSTILE)
    await expect(page.locator("#arrivals > li")).to_have_count(found)
    session.end_collector("network")
    session.read_databases()
    await expect(page.locator("#arrivals > li")).to_have_count(found + 3)
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    session.clean_up()
    await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")
    await expect(page.get_by_role("link", name="Read the report")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    assert await page.evaluate("window.notReloaded")
    live = await arrivals(page)
    assert len(set(live)) == len(live) == found + 3
    # The record, read anew, says the same in the same order.
    status = await page.locator("#status").inner_text()
    await page.reload()
    assert await arrivals(page) == live
    assert await page.locator("#status").inner_text() == status


async def test_a_session_whose_deadline_has_passed_is_not_said_to_be_removed_soon(site):
    session = await site.start_session()
    page = await site.visit(Role.VIEWER, f"/dryrun/sessions/{session.id}")
    session.build()
    await expect(page.locator(".target.is-healthy")).to_have_count(2)
    await expect(page.locator(".countdown")).to_contain_text("will be removed within 29 min")
    await page.evaluate("document.querySelector('.countdown time').dataset.until = '2026-01-01T00:00:00Z'")
    await expect(page.locator(".countdown")).to_have_text(
        "The deadline has passed, and not everything is removed yet."
    )


async def test_the_page_of_a_fleet_says_where_targets_stand_and_why(site):
    session = await site.start_session()
    page = await site.visit(Role.VIEWER, f"/dryrun/sessions/{session.id}")
    reason = f"1 on alpha, 1 on beta, collectors on beta: beta has room for 3 {HOSTILE[0]}"
    placed = SessionPlaced(targets={"alpha": 1, "beta": 1}, collectors="beta", encrypted=False, reason=reason)
    session.tell(placed)
    session.build()
    for name, host in (("web", "alpha"), ("db", "beta")):
        session.tell(
            TargetChanged(
                service=name,
                image=f"discovery/test-{name}:1",
                image_id=f"sha256:{'a' * 64}",
                state="healthy",
                host=host,
            )
        )
    await expect(page.locator("#status")).to_contain_text(f"Hosts: {reason}")
    await expect(page.locator("#status")).to_contain_text("Traffic between the hosts is not encrypted.")
    await expect(page.locator("#status")).to_contain_text("and every host of the session is reached")
    for name, host in (("web", "alpha"), ("db", "beta")):
        target = page.locator(".target").filter(has=page.get_by_text(name, exact=True))
        await expect(target.locator(".target-address")).to_contain_text(f" on {host}")
    if folder := os.environ.get("FLEET_SCREENSHOTS"):
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
            await page.set_viewport_size({"width": width, "height": 1000})
            await page.emulate_media(color_scheme=scheme)
            await page.screenshot(path=f"{folder}/{width}-{scheme}.png")


async def test_a_page_is_live_however_late_its_scripts_arrive(site):
    session = await site.start_session()
    session.build()
    watched = await site.open(Role.VIEWER)
    page = await watched.context.new_page()

    async def late(route):
        await asyncio.sleep(0.5)
        await route.continue_()

    await page.route("**/hx-sse.min*.js*", late)
    await page.goto(f"/dryrun/sessions/{session.id}", wait_until="commit")
    await expect(page.locator("#link")).to_be_hidden()
    session.scan()
    await expect(page.locator("#link")).to_contain_text("Live")
    await expect(page.locator("#arrivals > li")).to_have_count(4 + len(HOSTILE))


async def test_a_page_that_lost_its_connection_misses_nothing(site):
    session = await site.start_session()
    session.build()
    page = await site.visit(Role.VIEWER, f"/dryrun/sessions/{session.id}")
    await expect(page.locator("#link")).to_be_visible()
    session.scan()
    await expect(page.locator("#arrivals > li")).to_have_count(4 + len(HOSTILE))
    before = await arrivals(page)
    site.wire.cut()
    await expect(page.locator("#link")).to_contain_text("Reconnecting")
    session.end_collector("network")
    session.read_databases()
    session.clean_up()
    await site.until_phase(session, "ended")
    assert await arrivals(page) == before
    site.wire.mend()
    await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")
    after = await arrivals(page)
    assert len(set(after)) == len(after) == len(before) + 3
    # The browser complained about what it could not reach.
    site.contexts[0].forget_failed_requests()


async def test_what_targets_say_stays_text(site):
    session = await site.start_session()
    session.whole()
    await site.until_phase(session, "ended")
    page = await site.visit(Role.VIEWER, f"/dryrun/sessions/{session.id}")
    await expect(page.locator("#arrivals")).to_contain_text(HOSTILE[0])
    await expect(page.locator("#arrivals")).to_contain_text(r"\x1b[31mred")
    await expect(page.locator("#notes")).to_contain_text(HOSTILE[0])
    assert await page.evaluate("window.attacked") is None
    assert await page.locator("#arrivals img, #arrivals script, #arrivals div").count() == 0


async def test_the_page_of_an_experiment_follows_it_without_reloading(site):
    wanted = {"name": "nightly", "templates": ["small"], "seeds": [0]}
    experiment = (await site.api.post("/experiments", json=wanted)).json()["id"]
    page = await site.visit(Role.VIEWER, f"/dryrun/experiments/{experiment}")
    await page.evaluate("window.notReloaded = true")
    await expect(page.locator(".lead")).to_contain_text("0 of 1 session measured")
    assert not await violations(page)
    scanning = asyncio.create_task(scan_all(site.orchestrator))
    await expect(page.locator(".lead")).to_contain_text("1 of 1 session measured")
    await expect(page.get_by_role("heading", name="What each way to scan finds")).to_be_visible()
    scanning.cancel()
    assert await page.locator("#experiment").get_attribute("hx-get") is None
    assert await page.evaluate("window.notReloaded")


async def test_the_page_of_a_delivery_follows_it_without_reloading(site):
    engine = site.api.app.state.engine
    delivery = await store_deliveries(engine)
    page = await site.visit(Role.APPROVER, f"/production/deliveries/{delivery}?state=waiting")
    await page.evaluate("window.notReloaded = true")
    await expect(page.locator("h1 + .badge")).to_have_text("sending")
    assert not await violations(page)
    async with engine.begin() as connection:
        sent = "UPDATE gateway.delivery_items SET state = 'delivered' WHERE state = 'waiting'"
        await connection.execute(text(sent))
    await expect(page.locator("h1 + .badge")).to_have_text("stuck", timeout=15_000)
    await expect(page.get_by_role("heading", name="Items: waiting")).to_be_visible()
    assert await page.locator("#delivery").get_attribute("hx-get") is None
    assert await page.evaluate("window.notReloaded")


async def test_a_session_is_watched_without_a_script(site):
    session = await site.start_session()
    session.build()
    page = await site.visit(Role.OPERATOR, f"/dryrun/sessions/{session.id}", javascript=False)
    await expect(page.locator("#status")).to_have_attribute("data-phase", "waiting")
    session.scan()
    # The page loads itself anew every five seconds.
    await expect(page.locator("#status")).to_have_attribute("data-phase", "scanning")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("#status")).to_have_attribute("data-phase", "scanning")
    assert any(request.url.path.endswith("/stop") for request in site.orchestrator.requests)
    session.clean_up("stopped")
    await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")


async def test_stopping_asks_first_and_a_viewer_cannot(site):
    session = await site.start_session()
    session.build()
    page = await site.visit(Role.OPERATOR, f"/dryrun/sessions/{session.id}")
    site.contexts[0].answers_dialogs = True
    async with page.expect_navigation():
        await page.get_by_role("button", name="Stop").click()
    assert any(request.url.path.endswith("/stop") for request in site.orchestrator.requests)
    other = await site.visit(Role.VIEWER, f"/dryrun/sessions/{session.id}")
    await expect(other.locator("#status")).to_be_visible()
    assert await other.get_by_role("button", name="Stop").count() == 0


async def test_times_are_the_viewers(site):
    session = await site.start_session()
    session.whole()
    await site.until_phase(session, "ended")
    page = await site.visit(Role.VIEWER, f"/dryrun/sessions/{session.id}")
    shown = page.locator("time[data-time='full']").first
    utc = await shown.get_attribute("datetime")
    expected = await page.evaluate(
        "at => new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'short',"
        " timeZone: 'America/New_York'}).format(new Date(at))",
        utc,
    )
    await expect(shown).to_have_text(expected)
