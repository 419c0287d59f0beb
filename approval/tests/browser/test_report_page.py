"""A report on a phone: what lies beyond the edge of a table is announced there, and nowhere else."""

import pytest
from chromium import PHONE
from playwright.async_api import expect

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
    # A timeline of scrolling is read when a frame is drawn.
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return await page.evaluate(_EDGES)


async def test_a_table_is_shaded_where_it_goes_on_and_only_there(site):
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
