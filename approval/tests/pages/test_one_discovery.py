"""The page of one production discovery: who may decide does so beside what changed."""

import re

import pytest

from approval_api.identity.roles import Role

REPORTED = "/api/v1/production/discoveries"
PAGE = "/production/discoveries"
BUTTON = re.compile(r'name="one" value="([^"]+)">([^<]+)<')


@pytest.fixture
def programs():
    return "ada/operator+approver/network"


async def report(api, version):
    found = {"kind": "service", "key": "192.0.2.7:5432/tcp", "data": {"version": version}}
    answer = await api.client.post(REPORTED, json={"collector": "network", "discoveries": [found]})
    assert answer.status_code == 200, answer.text


async def shown(browser):
    page = await browser.client.get(f"{PAGE}/1", headers={"Accept": "text/html"})
    assert page.status_code == 200, page.text
    return page.text, {label: value for value, label in BUTTON.findall(page.text)}


@pytest.fixture
async def approver(api, browsers):
    await report(api, "17.2")
    return await browsers("bob", Role.APPROVER)


@pytest.fixture
def press(approver):
    """Give `await press(value)`: where the button with this value leads."""

    async def decide(value, note=""):
        form = {"csrf_token": approver.csrf, "page": "yes", "one": value, "note": note}
        answer = await approver.client.post(PAGE, data=form)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    return decide


async def test_a_decision_leads_back_to_the_page_and_can_be_undone(approver, press):
    _, buttons = await shown(approver)
    assert buttons == {"Approve": "approved 1:1", "Reject": "rejected 1:1"}
    assert await press(buttons["Approve"], "the new database") == f"{PAGE}/1"
    page, buttons = await shown(approver)
    assert "approved by bob" in page
    assert "the new database" in page
    assert await press(buttons["Undo the decision"]) == f"{PAGE}/1"
    assert (await shown(approver))[1].keys() == {"Approve", "Reject"}


async def test_what_changed_meanwhile_is_not_decided_and_the_page_says_so(api, approver, press):
    _, seen = await shown(approver)
    await press(seen["Approve"])
    await report(api, "17.4")
    _, changed = await shown(approver)
    await report(api, "17.5")
    form = {"csrf_token": approver.csrf, "page": "yes", "one": changed["Approve"]}
    answer = await approver.client.post(PAGE, data=form)
    assert answer.status_code == 409
    assert "so nothing was decided" in answer.text
    assert "17.5" in answer.text
    assert BUTTON.search(answer.text)[1].startswith("approved 1:")
    assert "so nothing was decided" not in (await shown(approver))[0]


async def test_no_link_makes_the_page_say_that_nothing_was_decided(approver):
    assert "so nothing was decided" not in (await approver.client.get(f"{PAGE}/1?outdated=yes")).text


async def test_several_decided_at_once_lead_to_the_list(api, approver):
    await report(api, "17.2")
    form = {"csrf_token": approver.csrf, "page": "yes", "decision": "approved", "seen": ["1:1", "2:1"]}
    answer = await approver.client.post(PAGE, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?")


async def test_the_enter_key_in_the_note_decides_nothing(approver):
    page, _ = await shown(approver)
    form = page[page.index('action="/production/discoveries"') :]
    assert re.search(r"<button[^>]*>", form)[0] == '<button type="submit" formmethod="dialog" hidden>'


async def test_who_may_not_decide_has_no_buttons(approver, browsers):
    _, buttons = await shown(await browsers("eve", Role.VIEWER))
    assert buttons == {}
