"""Looking through discoveries and deciding on them: by mouse, by keyboard, without a script."""

import asyncio
import re

import pytest
import pytest_asyncio
from playwright.async_api import expect
from scripted_session import HOSTILE

from approval_api.identity.roles import Role

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def scripted(site):
    scripted = await site.start_session()
    scripted.whole()
    await site.until_phase(scripted, "ended")
    return scripted


def row_of(page, key):
    return page.locator("tr[data-row]").filter(has=page.get_by_text(key, exact=True))


async def decisions(site):
    listed = (await site.api.get("/discoveries?limit=200")).json()["discoveries"]
    return {each["named_key"]: each["status"] for each in listed if each["status"] != "pending"}


async def test_one_is_approved_with_its_button_and_keeps_the_note(site, scripted):
    page = await site.visit(Role.APPROVER, f"/dryrun/discoveries?session={scripted.id}")
    await page.get_by_label("Note").fill("ours since 2019")
    row = row_of(page, "db:5432/tcp/shop")
    await row.get_by_role("button", name="Approve").click()
    await expect(row.locator(".badge")).to_have_text("approved")
    await expect(row).to_contain_text("ours since 2019")
    await expect(page.locator("#toast")).to_contain_text("1 discovery approved.")
    await row.get_by_role("button", name="Undo").click()
    await expect(row.locator(".badge")).to_have_text("open")
    assert await decisions(site) == {}


async def test_many_are_rejected_at_once(site, scripted):
    page = await site.visit(Role.APPROVER, "/dryrun/discoveries?kind=table")
    await page.get_by_label("select all on this page").check()
    await page.get_by_role("button", name="Reject selected").click()
    await expect(page.locator("tr.is-rejected")).to_have_count(2)
    assert set((await decisions(site)).values()) == {"rejected"}
    assert await page.locator("input[name=seen]:checked").count() == 0


async def test_selecting_nothing_is_reported_and_changes_nothing(site, scripted):
    page = await site.visit(Role.APPROVER, "/dryrun/discoveries")
    await page.get_by_role("button", name="Approve selected").click()
    await expect(page.locator("#toast")).to_contain_text("Nothing is selected")
    await expect(page.locator("tr[data-row]").first).to_be_visible()
    assert await decisions(site) == {}


async def test_the_keyboard_alone_decides(site, scripted):
    page = await site.visit(Role.APPROVER, "/dryrun/discoveries?kind=host&sort=key")
    await page.locator("tr[data-row]").first.focus()
    await page.keyboard.press("j")
    await page.keyboard.press("r")
    await expect(page.locator("tr.is-rejected")).to_have_count(1)
    assert await decisions(site) == {"web": "rejected"}
    await page.keyboard.press("k")
    await page.keyboard.press("e")
    await expect(page.locator("details[open]")).to_have_count(1)
    await page.keyboard.press("a")
    await expect(page.locator("tr.is-approved")).to_have_count(1)
    assert await decisions(site) == {"db": "approved", "web": "rejected"}
    await page.keyboard.press("n")
    await expect(page.get_by_label("Note")).to_be_focused()
    await page.keyboard.type("aru")
    assert await decisions(site) == {"db": "approved", "web": "rejected"}


async def test_a_decision_made_while_another_is_under_way_is_not_lost(site, scripted):
    page = await site.visit(Role.APPROVER, "/dryrun/discoveries?kind=service&sort=key")
    under_way = asyncio.Event()

    async def hold_back(route):
        if route.request.method == "POST" and not under_way.is_set():
            under_way.set()
            await asyncio.sleep(1)
        await route.continue_()

    await page.route("**/dryrun/discoveries", hold_back)
    await page.locator("tr[data-row]").first.focus()
    for key in "arra":
        await page.keyboard.press(key)
    await expect(page.locator("tr.is-approved")).to_have_count(2)
    await expect(page.locator("tr.is-rejected")).to_have_count(2)
    kept = await decisions(site)
    assert list(kept.values()).count("approved") == list(kept.values()).count("rejected") == 2
    # In the order they were made in, and each on its own row.
    states = await page.locator("tr[data-row]").evaluate_all(
        "rows => rows.slice(0, 4).map(row => row.className)"
    )
    assert states == ["row is-approved", "row is-rejected", "row is-rejected", "row is-approved"]


async def test_what_changed_since_it_was_looked_at_is_not_decided(site):
    scripted = await site.start_session()
    scripted.build()
    scripted.enter("scanning")
    scripted.start("network")
    scripted.find("network", "service", "10.213.0.3:80/tcp", product="nginx", confidence_=0.5)
    page = await site.visit(Role.APPROVER)
    async with asyncio.timeout(20):
        while not (await site.api.get("/discoveries")).json()["discoveries"]:
            await asyncio.sleep(0.02)
    await page.goto("/dryrun/discoveries")
    scripted.find("network", "service", "10.213.0.3:80/tcp", product="Apache", confidence_=0.95)
    async with asyncio.timeout(20):
        while (await site.api.get("/discoveries")).json()["discoveries"][0]["revision"] == 1:
            await asyncio.sleep(0.02)
    await page.get_by_role("button", name="Approve web:80/tcp").click()
    await expect(page.locator("#toast")).to_contain_text(
        "1 changed after you loaded this page. Review it again."
    )
    await expect(page.locator("tr[data-row]")).to_contain_text("Apache")
    assert await decisions(site) == {}


async def test_filters_search_and_order_are_in_the_address(site, scripted):
    page = await site.visit(Role.VIEWER, f"/dryrun/discoveries?session={scripted.id}")
    every = await page.locator("tr[data-row]").count()
    await page.get_by_label("Search").fill("customers")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"search=customers"))
    await page.reload()
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await page.get_by_label("Search").fill("")
    await expect(page.locator("tr[data-row]")).to_have_count(every)
    await page.get_by_label("Order").select_option("key")
    await expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Discovery")
    await page.get_by_label("Search").fill("no such thing")
    await expect(page.get_by_text("No discovery matches these filters")).to_be_visible()
    assert await page.get_by_role("button", name="Approve").count() == 0


async def test_hostile_evidence_is_text(site, scripted):
    page = await site.visit(Role.ADMIN, "/dryrun/discoveries?kind=service&sort=oldest")
    for summary in await page.locator("details.evidence summary").all():
        await summary.click()
    await expect(page.locator("pre", has_text=HOSTILE[1].replace('"', r"\"")).first).to_be_visible()
    assert await page.evaluate("window.attacked") is None
    assert await page.locator("main img, main script, main [hx-get*=sign-out]").count() == 0


async def test_one_is_decided_without_a_script(site, scripted):
    page = await site.visit(Role.APPROVER, "/dryrun/discoveries?kind=table&sort=key", javascript=False)
    await page.get_by_role("button", name="Approve db:5432/tcp/shop/public/orders").click()
    await expect(page.locator("tr.is-approved")).to_have_count(1)
    assert page.url.endswith("/dryrun/discoveries?kind=table&sort=key")
    await page.get_by_role("checkbox", name="customers").check()
    await page.get_by_role("button", name="Reject selected").click()
    await expect(page.locator("tr.is-rejected")).to_have_count(1)


async def test_production_is_decided_in_its_own_section(site, scripted):
    await site.report_production("192.0.2.7:5432/tcp", version="17.2")
    page = await site.visit(Role.APPROVER, "/production/discoveries")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await page.get_by_role("button", name="Approve 192.0.2.7:5432/tcp").click()
    await expect(page.locator("tr.is-approved")).to_have_count(1)
    await site.report_production("192.0.2.7:5432/tcp", version="17.4")
    await page.reload()
    await expect(page.locator("tr[data-row]")).to_contain_text("changed since approved")
    await page.goto("/production/discoveries?changed=yes")
    await page.locator("summary").click()
    await page.get_by_role("link", name="changes in later scans").click()
    await expect(page.locator("del")).to_have_text("17.2")
    await expect(page.locator("ins")).to_have_text("17.4")
    assert await decisions(site) == {}


@pytest.mark.parametrize("javascript", [True, False])
async def test_the_enter_key_decides_nothing_in_a_list(site, scripted, javascript):
    page = await site.visit(Role.APPROVER, "/dryrun/discoveries?kind=table&sort=key", javascript=javascript)
    box, note = page.get_by_role("checkbox", name="customers"), page.get_by_label("Note")
    await box.check()
    await note.fill("not ours")
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    for each in (note, box, page.get_by_label("select all on this page")):
        await each.press("Enter")
    await page.wait_for_timeout(300)
    assert sent == []
    assert await decisions(site) == {}
    assert (await note.input_value(), await box.is_checked()) == ("not ours", True)
    await page.get_by_role("button", name="Reject selected").click()
    await expect(page.locator("tr.is-rejected")).to_have_count(1)


async def test_the_enter_key_decides_nothing_on_a_discovery_s_page(site):
    await site.report_production("192.0.2.7:5432/tcp", version="17.2")
    page = await site.visit(Role.APPROVER, "/production/discoveries/1")
    await page.get_by_label("Note").fill("not ours")
    await page.get_by_label("Note").press("Enter")
    await page.wait_for_timeout(300)
    assert await page.get_by_label("Note").input_value() == "not ours"
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator("main")).to_contain_text("not ours")
