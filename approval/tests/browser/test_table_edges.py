"""A phone shows no scroll bars: where a table or a drawing goes on, its edge is shaded, and nowhere else."""

import pytest
from chromium import PHONE
from playwright.async_api import expect
from stored_check import store_check

from approval_api.identity.roles import Role

pytestmark = pytest.mark.browser

_EDGES = """() => [...document.querySelectorAll(".dr-scroll")].map(table => {
    const shade = side => getComputedStyle(table).getPropertyValue(side).startsWith("-");
    const below = table.scrollHeight - table.clientHeight - table.scrollTop > 1;
    const beside = table.scrollWidth - table.clientWidth - table.scrollLeft > 1;
    return {below, beside, shaded: [shade("--dr-below"), shade("--dr-beside")]};
})"""


async def edges(page):
    """Return, for each table, what is hidden below and beside it, and whether its edges are shaded."""
    await drawn(page)
    return await page.evaluate(_EDGES)


async def drawn(page):
    """Wait for a frame: timelines of scrolling are read when one is drawn."""
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def test_a_table_of_a_report_is_shaded_where_it_goes_on_and_only_there(site):
    session = await site.start_session()
    session.whole()
    page = await site.visit(Role.OPERATOR, f"/dryrun/sessions/{session.id}", size=PHONE)
    await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")
    await page.goto(f"/dryrun/sessions/{session.id}/report")
    found = await edges(page)
    assert all(each["shaded"] == [each["below"], each["beside"]] for each in found), found
    assert {True, False} <= {each["below"] for each in found} | {each["beside"] for each in found}
    await page.evaluate(
        "() => document.querySelectorAll('.dr-scroll').forEach(table => table.scrollTo(99999, 99999))"
    )
    assert all(each["shaded"] == [False, False] for each in await edges(page))


async def test_a_table_of_a_page_is_shaded_where_it_goes_on_and_only_there(site):
    session = await site.start_session()
    session.whole()
    page = await site.visit(Role.OPERATOR, f"/dryrun/sessions/{session.id}", size=PHONE)
    await expect(page.locator("#status")).to_have_attribute("data-phase", "ended")
    await store_check(site.api.app.state.engine, session.id)
    # Predictions scroll on a phone; sessions are folded there.
    for path, goes_on in (("/dryrun/checks", True), ("/dryrun/sessions", False)):
        await page.goto(path)
        assert await shades(page) == [(goes_on, goes_on)]
    await page.goto("/dryrun/checks")
    await page.evaluate("() => document.querySelector('.table-wrap').scrollTo(99999, 0)")
    assert await shades(page) == [(True, False)]


async def test_a_drawn_network_is_shaded_where_it_goes_on_and_only_there(site):
    page = await site.visit(Role.OPERATOR, "/dryrun/templates", size=PHONE)
    found = await shades(page, ".topology")
    assert found
    assert set(found) == {(True, True)}
    await page.evaluate(
        "() => document.querySelectorAll('.topology').forEach(each => each.scrollTo(99999, 0))"
    )
    assert set(await shades(page, ".topology")) == {(True, False)}
    await page.set_viewport_size({"width": 1400, "height": 900})
    assert set(await shades(page, ".topology")) == {(False, False)}


async def shades(page, of=".table-wrap"):
    """Return, for each, whether it is wider than its frame, and whether the edge of that is shaded."""
    await drawn(page)
    found = await page.evaluate(
        """of => [...document.querySelectorAll(of)].map(each => [
            each.scrollWidth > each.clientWidth,
            getComputedStyle(each).getPropertyValue("--more-beside").startsWith("-")])""",
        of,
    )
    return [tuple(each) for each in found]
