"""Every page, for every role, in light and dark, on a desk and on a phone."""

import os
from pathlib import Path

import pytest
from chromium import DESKTOP, PHONE, is_wider_than_the_screen, violations
from made_deliveries import store_deliveries
from playwright.async_api import expect
from scripted_session import HOSTILE
from site_map import DOORS, EVERYBODY, PLACES
from stored_check import store_check

from approval_api.identity.roles import Role

pytestmark = pytest.mark.browser

LOOKS = [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)]


def pictures() -> Path | None:
    """Where `make screenshots` wants pictures."""
    folder = os.environ.get("SCREENSHOTS")
    return Path(folder) if folder else None


async def look_at(page, place, path, scheme, size):
    """Return what is wrong with a page, and take its picture where that is wanted."""
    answer = await page.goto(path)
    faults = [] if answer.status == 200 else [f"answered {answer.status}"]
    await expect(page.locator("h1")).to_be_visible()
    if (folder := pictures()) is not None:
        device = "desktop" if size is DESKTOP else "phone"
        await page.screenshot(path=folder / f"{place.name}-{scheme}-{device}.png", full_page=True)
    faults += await violations(page)
    if await is_wider_than_the_screen(page):
        faults.append("it is wider than the screen")
    return [f"{place.name}, {scheme}, {size['width']}: {fault}" for fault in faults]


@pytest.fixture
async def filled(site):
    """Sessions in every state, by the names that paths use."""
    earlier = await site.start_session()
    earlier.whole(finds_less=True)
    ended = await site.start_session()
    ended.whole()
    failed = await site.start_session()
    failed.build()
    failed.clean_up("failed", "web did not become healthy within 60 s; see its log")
    for session in (ended, earlier, failed):
        await site.until_phase(session, "ended")
    running = await site.start_session(keep=True)
    running.build()
    running.scan()
    running.attack_with_keys()
    running.harm()
    running.end_collector("network")
    running.start("database")
    running.progress("database", 2, 5, "reading shop.orders")
    await site.until_phase(running, "scanning")
    await site.start_session()
    experiment = await site.run_experiment()
    for version in ("17.2", "17.4"):
        await site.report_production("192.0.2.7:5432/tcp", product="PostgreSQL", version=version)
    await site.report_production("192.0.2.8:80/tcp", product=HOSTILE[0], banner=HOSTILE[1])
    (changed, _) = (await site.api.client.get("/api/v1/production/discoveries?sort=oldest")).json()[
        "discoveries"
    ]
    for _ in range(3):
        await site.scan_production("192.0.2.8")
    await site.scan_production("192.0.2.0/24", "198.51.100.0/24", complete=False)
    return {
        "production": changed["id"],
        "rule": await site.make_rule(),
        "person": await site.add_person("grace", Role.OPERATOR),
        "ended": ended.id,
        "earlier": earlier.id,
        "failed": failed.id,
        "running": running.id,
        "experiment": experiment,
        "schedule": await site.schedule(experiment),
        "delivery": await store_deliveries(site.api.app.state.engine),
        "check": await store_check(site.api.app.state.engine, ended.id),
    }


@pytest.mark.parametrize(("scheme", "size"), LOOKS, ids=["desk", "desk-dark", "phone", "phone-dark"])
async def test_axe_finds_nothing_and_nothing_is_cut_off(site, filled, scheme, size):
    watched = await site.open(Role.ADMIN, scheme=scheme, size=size)
    page = await watched.context.new_page()
    faults = []
    for place in PLACES:
        faults += await look_at(page, place, place.path.format(**filled), scheme, size)
    nobody = await (await site.open(None, scheme=scheme, size=size)).context.new_page()
    for place in DOORS:
        faults += await look_at(nobody, place, place.path, scheme, size)
    assert not faults, "\n".join(faults)


async def test_axe_finds_nothing_on_what_other_roles_see(site, filled):
    faults = []
    for role in EVERYBODY:
        if role is Role.ADMIN:
            continue
        page = await (await site.open(role)).context.new_page()
        for place in PLACES:
            if role in place.roles:
                await page.goto(place.path.format(**filled))
                faults += [f"{role}, {place.name}: {fault}" for fault in await violations(page)]
    assert not faults, "\n".join(faults)


async def test_every_page_is_whole_without_a_script(site, filled):
    page = await (await site.open(Role.ADMIN, javascript=False)).context.new_page()
    for place in PLACES:
        answer = await page.goto(place.path.format(**filled))
        assert answer.status == 200, place.name
        await expect(page.locator("h1")).to_be_visible()
        await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
