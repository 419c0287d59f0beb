"""The API's reference in a browser: what is sent there is sent as who is signed in, and shown as text."""

import pytest
from playwright.async_api import expect

from approval_api.identity.roles import Role

pytestmark = pytest.mark.browser


async def test_operations_are_tried_as_who_is_signed_in(site):
    page = await site.visit(Role.OPERATOR, "/reference?tag=people")
    shown = page.locator("details", has=page.locator("code", has_text="/api/v1/me").first).first
    await shown.locator("summary").click()
    await shown.get_by_role("button", name="Send").click()
    await expect(shown.locator(".answer p")).to_contain_text("200")
    await expect(shown.locator(".answer pre")).to_contain_text('"name": "operator-one"')
    # What may not be asked has no form: people are an administrator's.
    people = page.locator("#list_people_api_v1_people_get")
    await people.locator("summary").click()
    await expect(people).to_contain_text("which you do not have")
    await expect(people.locator("form")).to_have_count(0)


async def test_what_changes_something_asks_first_and_carries_the_logins_proof(site):
    page = await site.visit(Role.OPERATOR, "/reference?tag=sessions")
    shown = page.locator("details", has=page.locator(".is-post")).first
    await shown.locator("summary").click()
    await page.evaluate("window.asked = []; window.confirm = text => (window.asked.push(text), false); 0")
    await shown.get_by_role("button", name="Send").click()
    await expect(shown.locator(".answer")).to_be_empty()
    assert "takes effect on this deployment" in (await page.evaluate("window.asked"))[0]
    assert site.orchestrator.sessions == {}
    await page.evaluate("window.confirm = () => true; 0")
    await shown.locator("textarea").fill('{"template": "small"}')
    await shown.get_by_role("button", name="Send").click()
    await expect(shown.locator(".answer p")).to_contain_text("201")
    await expect(shown.locator(".answer pre")).to_contain_text('"requested_by": "operator-one"')


async def test_an_answer_is_text_whatever_it_holds(site):
    await site.report_production("192.0.2.8:80/tcp", product="<img src=x onerror=alert(1)>")
    page = await site.visit(Role.VIEWER, "/reference?tag=production")
    shown = page.locator("#list_production_api_v1_production_discoveries_get")
    await shown.locator("summary").click()
    await shown.get_by_role("button", name="Send").click()
    await expect(shown.locator(".answer pre")).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(shown.locator(".answer img")).to_have_count(0)
