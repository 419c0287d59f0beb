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
from dryrun_contract.fleet import Fleet, FleetHost

pytestmark = pytest.mark.browser

LOOKS = [
    ("light", "desktop", DESKTOP),
    ("dark", "desktop", DESKTOP),
    ("light", "phone", PHONE),
    ("dark", "phone", PHONE),
]


def pictures() -> Path | None:
    """Where `make screenshots` wants pictures."""
    folder = os.environ.get("SCREENSHOTS")
    return Path(folder) if folder else None


async def look_at(page, place, path):
    """Return what is wrong with a page in each look, and take its pictures where these are wanted."""
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(DESKTOP)
    answer = await page.goto(path)
    faults = [] if answer.status == 200 else [f"{place.name}: answered {answer.status}"]
    await expect(page.locator("h1")).to_be_visible()
    for scheme, device, size in LOOKS:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size(size)
        if (folder := pictures()) is not None:
            await page.screenshot(path=folder / f"{place.name}-{scheme}-{device}.png", full_page=True)
        found = await violations(page)
        if await is_wider_than_the_screen(page):
            found.append("it is wider than the screen")
        faults += [f"{place.name}, {scheme}, {device}: {fault}" for fault in found]
    return faults


def fleet_with(session_id):
    """Return hosts in each state."""
    away = {"drained": False, "obstacle": "it has not answered for 47 s"}
    rows = (("alpha", 22, {"drained": False}), ("beta", 4, {"drained": True}), ("gamma", 0, away))
    hosts = [
        FleetHost(
            name=name,
            containers=held,
            places=32,
            sessions=(session_id,) if held else (),
            labels={"zone": "lab", "disk": "fast"} if held else {},
            **state,
        )
        for name, held, state in rows
    ]
    return Fleet(managers=("alpha",), encrypted=True, hosts=tuple(hosts))


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
    site.orchestrator.fleet = fleet_with(running.id)
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


@pytest.mark.timeout(900)  # every page in every look: two minutes, more beside other suites
async def test_axe_finds_nothing_and_nothing_is_cut_off_in_any_look_and_for_any_role(site, filled):
    page = await (await site.open(Role.ADMIN)).context.new_page()
    faults = []
    for place in PLACES:
        faults += await look_at(page, place, place.path.format(**filled))
    nobody = await (await site.open(None)).context.new_page()
    for place in DOORS:
        faults += await look_at(nobody, place, place.path)
    faults += await faults_of_what_other_roles_see(site, filled)
    await without_a_script(site, filled)
    assert not faults, "\n".join(faults)


async def faults_of_what_other_roles_see(site, filled):
    faults = []
    for role in EVERYBODY:
        if role is Role.ADMIN:
            continue
        page = await (await site.open(role)).context.new_page()
        for place in PLACES:
            if role in place.roles:
                await page.goto(place.path.format(**filled))
                faults += [f"{role}, {place.name}: {fault}" for fault in await violations(page)]
    return faults


async def without_a_script(site, filled):
    """Show every page whole where no script runs."""
    page = await (await site.open(Role.ADMIN, javascript=False)).context.new_page()
    for place in PLACES:
        answer = await page.goto(place.path.format(**filled))
        assert answer.status == 200, place.name
        await expect(page.locator("h1")).to_be_visible()
        await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
