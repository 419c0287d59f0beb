"""Every page, for every role, in light and dark, on a desk and on a phone."""

import os
import re
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from chromium import (
    ALL_RULES,
    DESKTOP,
    PHONE,
    RULES_OF_COLOUR,
    boxes,
    launched,
    scrolls_sideways,
    violations,
)
from made_deliveries import store_deliveries
from network_parts import parts as network_parts
from playwright.async_api import expect
from scripted_session import HOSTILE
from site_map import DOORS, EVERYBODY, PLACES
from stored_check import store_check

from approval_api.identity.roles import Role
from approval_api.people.bootstrap import invite
from dryrun_contract.fleet import Fleet, FleetHost
from dryrun_serving.rate_limit import RateLimit

pytestmark = pytest.mark.browser

DEVICES = [("desktop", DESKTOP), ("phone", PHONE)]


def pictures() -> Path | None:
    """Where `make screenshots` wants pictures."""
    folder = os.environ.get("SCREENSHOTS")
    return Path(folder) if folder else None


@pytest_asyncio.fixture(loop_scope="session")
async def chromium():
    async with launched(draws_frames=pictures() is not None) as browser:
        yield browser


async def look_at(page, place, path):
    """Return what is wrong with a page in each look, and take its pictures where these are wanted."""
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(DESKTOP)
    answer = await page.goto(path)
    faults = [] if answer.status == 200 else [f"{place.name}: answered {answer.status}"]
    return faults + await faults_in_each_look(page, place.name)


async def faults_in_each_look(page, name):
    await expect(page.locator("h1")).to_be_visible()
    faults = []
    for device, size in DEVICES:
        await page.set_viewport_size(size)
        in_light = ""
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            if (folder := pictures()) is not None:
                await page.screenshot(path=folder / f"{name}-{scheme}-{device}.png", full_page=True)
            # Where dark changes nothing but colours, only what reads these can find more.
            seen = await boxes(page)
            found = await violations(page, RULES_OF_COLOUR if seen == in_light else ALL_RULES)
            in_light = seen
            # On a phone a table of figures scrolls by itself; a list is folded.
            lists = "html, .dr-list, .table-wrap:has(> :is(.folded, .stacked, .discoveries))"
            if await scrolls_sideways(page, lists if device == "phone" else "html, .table-wrap, .dr-scroll"):
                found.append("it is wider than the screen")
            found += [f"breaks the word {word}" for word in await broken_words(page)]
            found += [f"cuts the figure {figure} of a chart" for figure in await cut_figures(page)]
            if device == "phone":
                found += [f"hides {cut} beyond its edge" for cut in await cut_off(page)]
                found += [f"keeps {cell} as wide as a column" for cell in await wide_cells(page)]
                found += [f"has a table of many screens, {table}" for table in await many_screens(page)]
                found += [f"has the label {label} without a value" for label in await bare_labels(page)]
                found += [f"hides rows of {table}" for table in await hidden_criteria(page)]
            faults += [f"{name}, {scheme}, {device}: {fault}" for fault in found]
    return faults


async def broken_words(page):
    """Return the short words that a cell of a report breaks into two lines."""
    return await page.evaluate(
        """() => [...document.querySelectorAll("td > .dr-prose:only-child")]
            .filter(cell => /^\\S{1,12}$/.test(cell.textContent) && cell.getClientRects().length > 1)
            .map(cell => cell.textContent)"""
    )


async def cut_figures(page):
    """Return the texts of charts that reach beyond the edge of their picture."""
    return await page.evaluate(
        """() => [...document.querySelectorAll(".chart svg text, .curve svg text")]
            .filter(text => text.checkVisibility() && (text.getBBox().x < 0
                || text.getBBox().x + text.getBBox().width > text.ownerSVGElement.viewBox.baseVal.width))
            .map(text => text.textContent)"""
    )


async def cut_off(page):
    """Return the cells beyond the edge of a table that is a list of blocks on a phone."""
    return await page.evaluate(
        """() => [...document.querySelectorAll(":is(.discoveries, .stacked, .folded, .dr-list) :is(td, th)")]
            .filter(cell => cell.getBoundingClientRect().right > window.innerWidth)
            .map(cell => cell.textContent)"""
    )


async def wide_cells(page):
    """Return the cells of a report's folded lists that keep a column's width, though there are no columns."""
    return await page.evaluate(
        """() => [...document.querySelectorAll(".dr-list td")]
            .filter(cell => cell.checkVisibility() && getComputedStyle(cell).minWidth !== "0px")
            .map(cell => cell.textContent)"""
    )


async def many_screens(page):
    """Return the tables of a report that are higher than a screen: what follows is far away."""
    return await page.evaluate(
        """() => [...document.querySelectorAll(".dr-scroll")]
            .filter(table => table.getBoundingClientRect().height > window.innerHeight)
            .map(table => table.getAttribute("aria-label"))"""
    )


async def bare_labels(page):
    """Return the labels of a folded table's row that say nothing."""
    return await page.evaluate(
        """() => [...document.querySelectorAll(".folded td[data-label]")]
            .filter(cell => cell.checkVisibility() && cell.childElementCount && !cell.innerText.trim()
                && !cell.querySelector("progress, svg, img, input, button"))
            .map(cell => cell.dataset.label)"""
    )


async def hidden_criteria(page):
    """Return the tables of a verdict that show some of their criteria only to who scrolls inside of them."""
    return await page.evaluate(
        """() => [...document.querySelectorAll("#report-decision .dr-scroll")]
            .filter(table => table.scrollHeight > table.clientHeight)
            .map(table => table.getAttribute("aria-label"))"""
    )


def with_a_long_reason(template):
    """Return a template whose hard case has the longest reason of the project's templates."""
    reason = "unusual port, not among the thousand most common"
    truth = template.ground_truth
    facts = [fact.model_copy(update={"hard": reason}) if fact.hard else fact for fact in truth.facts]
    truth = truth.model_copy(update={"facts": tuple(facts)})
    return template.model_copy(update={"ground_truth": truth})


def whole_with_a_silent_service(session):
    """Everything, but the product of the hard case: each column of what a collector missed says something."""
    session.build()
    session.scan()
    session.find("network", "service", "10.213.0.3:18734/tcp")
    session.attack_with_keys()
    session.end_collector("network")
    session.read_databases()
    session.measure()
    session.clean_up()


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


@pytest_asyncio.fixture(loop_scope="session")
async def filled(site):
    """Sessions in every state, by the names that paths use."""
    site.orchestrator.templates["small"] = with_a_long_reason(site.orchestrator.templates["small"])
    earlier = await site.start_session()
    earlier.whole(finds_less=True)
    ended = await site.start_session()
    whole_with_a_silent_service(ended)
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
    async with site.api.app.state.engine.begin() as connection:
        await invite(connection, "ivy", {Role.VIEWER}, only_first=False)  # from a shell: without an address
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


async def test_the_templates_of_one_network_fold_on_a_desk_and_on_a_phone(site):
    site.orchestrator.templates |= network_parts(20)
    page = await site.visit(Role.OPERATOR, "/dryrun/templates")
    network = page.get_by_role("article", name="Network acme")
    start = network.get_by_role("button", name=re.compile("part 20 of 20"))
    faults = await faults_in_each_look(page, "templates-folded")
    await page.set_viewport_size(PHONE)
    await expect(start).to_be_hidden()
    folded = (await network.bounding_box())["height"]
    assert folded < PHONE["height"]
    await network.get_by_text("The 20 templates").press("Enter")
    await expect(start).to_be_visible()
    assert (await network.bounding_box())["height"] > 10 * folded
    assert faults + await faults_in_each_look(page, "templates-unfolded") == []


@pytest.mark.timeout(600)
async def test_axe_finds_nothing_and_nothing_is_cut_off_where_there_is_nothing_or_something_failed(site):
    watched = await site.open(Role.ADMIN)
    page = await watched.context.new_page()
    faults = []
    for place in PLACES:
        if "{" not in place.path:
            faults += await look_at(page, replace(place, name=f"{place.name}-of-nothing"), place.path)
    async for status, words in failures(site, page):
        # A page of an error comes late, as the answer to a form.
        await expect(page.get_by_text(words)).to_be_visible()
        faults += await faults_in_each_look(page, f"error-{status}")
        await page.set_viewport_size(DESKTOP)
    watched.forget_failed_requests()  # the browser reports the errors
    assert not faults, "\n".join(faults)


async def failures(site, page):
    """Have an administrator meet each error; yield its status and words of the page that shows it."""
    await page.goto("/dryrun/sessions/small")
    yield 422, "Error 422"
    await send(page, "/dryrun/criteria", csrf_token="another")
    yield 403, "Error 403"
    await send(page, "/dryrun/criteria", name="built-in", criteria="{}")
    yield 409, "Error 409"
    await send(page, "/invitation", secret="nobodys", password="several words of nobody")
    yield 410, "The invitation is gone."
    await page.goto(f"/dryrun/sessions/{uuid4()}")
    yield 404, "Error 404"
    site.orchestrator.down = True
    await page.goto("/dryrun/templates")
    yield 503, "Error 503"
    site.api.app.state.rate_limit = RateLimit(0.001, 0)
    await page.goto("/")
    yield 429, "Error 429"


async def send(page, path, **fields):
    """Send a form from a page of ours."""
    await page.goto("/account")
    await page.evaluate(
        """([path, fields]) => {
            const form = document.createElement("form");
            const csrf_token = document.querySelector("[name=csrf_token]").value;
            form.append(...Object.entries({csrf_token, ...fields}).map(([name, value]) =>
                Object.assign(document.createElement("input"), {name, value})));
            Object.assign(form, {method: "post", action: path});
            document.body.append(form);
            form.submit();
        }""",
        [path, fields],
    )


async def faults_of_what_other_roles_see(site, filled):
    """Look at each page that differs from those looked at before, leaving its menu out, and at each menu."""
    faults = []
    known = set()
    for role in (Role.ADMIN, *(role for role in EVERYBODY if role is not Role.ADMIN)):
        watched = await site.open(role)
        page = await watched.context.new_page()
        for path, parts in (await parts_for(site, watched, role, filled)).items():
            if role is not Role.ADMIN and not parts <= known:
                await page.goto(path)
                faults += [f"{role}, {path}: {fault}" for fault in await violations(page)]
            known |= parts
    return faults


async def parts_for(site, watched, role, filled):
    """Return the parts of each page of a role by its path."""
    cookies = {cookie["name"]: cookie["value"] for cookie in await watched.context.cookies()}
    parts = {}
    async with httpx2.AsyncClient(base_url=site.url, cookies=cookies, timeout=30, trust_env=False) as client:
        for place in PLACES:
            if role in place.roles:
                answer = await client.get(place.path.format(**filled))
                assert answer.status_code == 200, place.name
                parts[place.path.format(**filled)] = parts_of(answer.text, role)
    return parts


def parts_of(html, role):
    """Return a page without its menu, and the menu; both without who looks and which page it is."""
    for pattern, replacement in (
        (rf"(?i)\b{role}-one\b", "NAME"),
        (rf"<small>{role}</small>", "<small>ROLE</small>"),
        (r'(name="csrf_token" value=")[^"]*', r"\1"),
        (r' aria-current="page"', ""),
    ):
        html = re.sub(pattern, replacement, html)
    before, menu, after = re.fullmatch(r'(.*<nav id="nav".*?>)(.*?)(</nav>.*)', html, re.DOTALL).groups()
    return {before + after, menu}


async def without_a_script(site, filled):
    """Show every page whole where no script runs."""
    page = await (await site.open(Role.ADMIN, javascript=False)).context.new_page()
    for place in PLACES:
        answer = await page.goto(place.path.format(**filled))
        assert answer.status == 200, place.name
        await expect(page.locator("h1")).to_be_visible()
        await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
