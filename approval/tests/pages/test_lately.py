"""A figure of what happened in production leads to exactly the discoveries that it counts."""

import re
from html import unescape

import pytest
from sqlalchemy import text

PATH = "/api/v1/production/discoveries"
SCANS = "/api/v1/production/scans"
BROWSER = {"Accept": "text/html"}
LINK = re.compile(r'href="(/production/discoveries[^"]*)">([0-9]+) (new|changed|gone|returned)<')
ROW = re.compile(r"<code>(192\.0\.2\.\d+)</code>")


@pytest.fixture
def programs():
    return "ada/operator+approver/network"


async def scan(api, *products):
    """Report what a complete scan finds: at each address a host with this product, or nothing for None."""
    body = {"collector": "network", "targets": ["192.0.2.0/24"], "profile": "full"}
    scan_id = (await api.client.post(SCANS, json=body)).json()["id"]
    found = [
        {"kind": "host", "key": f"192.0.2.{number}", "data": {"product": product}}
        for number, product in enumerate(products, 1)
        if product is not None
    ]
    body = {"collector": "network", "scan": scan_id, "discoveries": found}
    assert (await api.client.post(PATH, json=body)).status_code == 200
    assert (await api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True})).status_code == 200


async def shown(api, path):
    answer = await api.client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.fixture
async def happened(api, engine):
    """Six hosts: one changed, one gone, one gone and back, one of each before today, one new and decided."""
    await scan(api, "a", "a", "a", "a", "a")
    listed = (await api.client.get(PATH, params={"sort": "key"})).json()["discoveries"]
    seen = [{"id": row["id"], "revision": row["revision"]} for row in listed]
    decision = {"decision": "approved", "discoveries": seen}
    assert (await api.client.post(f"{PATH}/decisions", json=decision)).status_code == 200
    await scan(api, "a", "a", "a", "other", "a")
    for _ in range(3):
        await scan(api, "a", "a", "a", "other")
    async with engine.begin() as connection:
        for statement in (
            "UPDATE gateway.discoveries SET found_at = now() - interval '3 days'",
            "UPDATE gateway.discoveries SET changed_at = found_at WHERE changed_at IS NOT NULL",
            "UPDATE gateway.discovery_changes SET at = now() - interval '2 days'",
            "UPDATE gateway.production_scans SET ended_at = now() - interval '2 days'",
        ):
            await connection.execute(text(statement))
    for _ in range(3):
        await scan(api, "b", None, None, "other", None, "a")
    await scan(api, "b", None, "a", "other", None, "a")


async def test_each_figure_leads_to_what_it_counts(api, happened):
    page = await shown(api, "/production/discoveries")
    figures = {change: (int(count), unescape(path)) for path, count, change in LINK.findall(page)}
    expected = {
        "new": {"192.0.2.6"},
        "changed": {"192.0.2.1"},
        "gone": {"192.0.2.2", "192.0.2.3"},
        "returned": {"192.0.2.3"},
    }
    assert {change: count for change, (count, _) in figures.items()} == {
        change: len(hosts) for change, hosts in expected.items()
    }
    for change, (_, path) in figures.items():
        led_to = await shown(api, path)
        assert set(ROW.findall(led_to)) == expected[change], change
        # A filter of the list keeps it.
        assert f'name="happened" value="{change}"' in led_to
    # By what each is now: two are gone, and one of them since before.
    assert set(ROW.findall(await shown(api, "/production/discoveries?change=gone"))) == {
        "192.0.2.2",
        "192.0.2.5",
    }


async def test_what_a_scan_made_gone_leads_to_that(api, happened):
    page = await shown(api, "/production/scans")
    links = [unescape(path) for path in re.findall(r'href="(/production/discoveries\?[^"]*)"', page)]
    assert [set(ROW.findall(await shown(api, path))) for path in links] == [
        {"192.0.2.2", "192.0.2.3"},
        {"192.0.2.5"},
    ]


@pytest.mark.parametrize("given", ["happened=gone", "happened=lost&since=2026-01-01T00:00:00Z"])
async def test_half_of_what_happened_filters_nothing_on_a_page_and_is_refused_by_the_api(
    api, happened, given
):
    assert len(ROW.findall(await shown(api, f"/production/discoveries?{given}"))) == 6
    assert (await api.client.get(f"{PATH}?{given}")).status_code == 422
    for since in ("yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00%2B14:00"):
        path = f"/production/discoveries?happened=gone&since={since}"
        assert len(ROW.findall(await shown(api, path))) == 6


async def test_the_api_lists_what_its_summary_counts(api, happened):
    counts = (await api.client.get(f"{PATH}/summary", params={"since": "2026-01-01T00:00:00Z"})).json()
    for count in counts["counts"]:
        wanted = {"happened": count["change"], "since": "2026-01-01T00:00:00Z", "limit": 1}
        found, cursor = [], {}
        while cursor is not None:
            answer = (await api.client.get(PATH, params=wanted | cursor)).json()
            found += answer["discoveries"]
            cursor = {"cursor": answer["next"]} if answer["next"] else None
        assert len(found) == count["count"], count
    wanted = {"happened": "gone", "since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    assert (await api.client.get(PATH, params=wanted)).json()["discoveries"] == []
