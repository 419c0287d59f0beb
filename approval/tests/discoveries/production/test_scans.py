"""What a scan proves: only a complete one that covers an address proves anything gone."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from made_scans import DB, NAMED, NET, PATH, SCANS, WEB, begin, listed, lives, scan

from approval_api.discoveries.production import scans


@pytest.fixture
def programs():
    return "ada/operator+approver/network+database"


async def test_scans_at_the_same_time_are_one_look(api):
    await scan(api, DB)
    began = [await begin(api) for _ in range(4)]
    for scan_id, missed in zip(began, (1, 0, 0, 0), strict=True):
        ended = (await api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True})).json()
        assert (ended["missed"], ended["gone"]) == (missed, 0)
    assert await scan(api, began_at="2026-01-01T00:00:00Z") == (0, 0), "it began before DB was seen"
    ahead = (datetime.now(UTC) + timedelta(seconds=40)).isoformat()
    assert await scan(api, began_at=ahead) == (1, 0), "by a clock that is a little ahead it began now"
    assert await scan(api) == (1, 1)


async def test_a_scan_that_begins_later_is_refused_with_what_time_it_is(api, engine):
    body = {"collector": "network", "targets": [NET], "profile": "full"}
    later = (datetime.now(UTC) + timedelta(seconds=90)).isoformat(timespec="seconds")
    for began_at in (later, "2999-01-31T02:30:00+01:00"):
        answer = await api.client.post(SCANS, json=body | {"began_at": began_at})
        assert answer.status_code == 422, began_at
        said = answer.json()["detail"]
        assert answer.json()["faults"] == [{"where": "began_at", "what": said}]
    assert said.startswith("the scan began at 2999-01-31 01:30:00 UTC, which is later than now, 20"), said
    assert "a clock up to 60 s ahead is no fault" in said
    assert (await api.client.get(SCANS)).json()["scans"] == []


async def test_an_ipv4_network_that_is_written_as_ipv6_covers_what_is_found_there(api):
    await scan(api, DB, WEB)
    assert await scan(api, targets=("::ffff:192.0.2.0/120",), exclude=("::ffff:192.0.2.8",)) == (1, 0)
    listed_scan = (await api.client.get(SCANS)).json()["scans"][0]
    assert (listed_scan["targets"], listed_scan["excluded"]) == (["192.0.2.0/24"], ["192.0.2.8/32"])


@pytest.mark.parametrize(
    "began_at",
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-31", "0001-01-01T00:00:00Z"],
)
async def test_a_scan_that_began_at_no_time_is_refused(api, began_at):
    body = {"collector": "network", "targets": [NET], "profile": "full", "began_at": began_at}
    assert (await api.client.post(SCANS, json=body)).status_code == 422


@pytest.mark.parametrize(
    "how",
    [
        {"complete": False},
        {"targets": ["198.51.100.0/24"]},
        {"targets": ["192.0.2.8"]},
        {"exclude": ["192.0.2.0/29"]},
        {"not_covered": ["192.0.2.7"]},
        {"collector": "database"},
        {"profile": "quick"},
        {"targets": ["2001:db8::/32"]},
    ],
    ids=str,
)
async def test_a_scan_that_did_not_cover_it_whole_proves_nothing(api, how):
    await scan(api, DB)
    for _ in range(4):
        assert await scan(api, **how) == (0, 0)
    assert await lives(api) == {DB["key"]: ("new", "pending", 0)}


async def test_what_a_scan_excluded_and_what_it_did_not_reach_are_two_things(api):
    halves = ["192.0.2.128/25", "192.0.2.0/26", "192.0.2.64/26"]
    scan_id = await begin(api, targets=["192.0.0.0/16", "2001:db8::/64"], exclude=halves)
    ended = {"complete": True, "not_covered": ["192.0.8.0/24", "198.51.100.0/24", "2001:db8::/32"]}
    shown = (await api.client.post(f"{SCANS}/{scan_id}/end", json=ended)).json()
    assert shown["excluded"] == ["192.0.2.0/24"]
    assert shown["not_covered"] == ["192.0.8.0/24", "2001:db8::/64"]
    page = (await api.client.get("/production/scans", headers={"Accept": "text/html"})).text
    assert "without 192.0.2.0/24<" in page
    assert "not reached: 192.0.8.0/24, 2001:db8::/64<" in page


@pytest.mark.parametrize(
    ("targets", "exclude", "not_covered"),
    [
        (["192.0.2.0/24"], [], ["0.0.0.0/0"]),
        (["192.0.2.0/24"], [], ["192.0.2.0/25", "192.0.2.128/26", "192.0.2.192/26"]),
        (["192.0.2.0/24"], ["192.0.2.0/25"], ["192.0.2.128/25", "192.0.2.128/25"]),
        (["192.0.2.0/25", "192.0.2.0/24"], [], ["192.0.2.0/25", "::ffff:192.0.2.128/121"]),
        (["192.0.2.0/24", "2001:db8::/64"], ["2001:DB8:0::/65"], ["192.0.2.0/24", "2001:db8::8000:0:0:0/65"]),
        (["192.0.2.0/24"], [], [f"192.0.2.{number}" for number in range(256)]),
    ],
    ids=["all there is", "parts", "rest", "nested", "IPv6", "one by one"],
)
async def test_a_scan_that_reached_nothing_is_incomplete_whatever_its_end_says(
    api, targets, exclude, not_covered
):
    scan_id = await begin(api, targets=targets, exclude=exclude)
    ended = {"complete": True, "not_covered": not_covered}
    shown = (await api.client.post(f"{SCANS}/{scan_id}/end", json=ended)).json()
    assert (shown["complete"], shown["missed"], shown["gone"]) == (False, 0, 0)


@pytest.mark.parametrize(
    ("targets", "not_covered"),
    [
        (["192.0.2.0/24"], ["192.0.2.0/25", "192.0.2.128/26", "192.0.2.192/27", "192.0.2.224/28"]),
        (["192.0.2.0/24"], ["192.0.3.0/24", "::/0"]),
        (["192.0.2.0/24", "2001:db8::/64"], ["0.0.0.0/0"]),
        (["::/0"], ["0.0.0.0/0", "8000::/1"]),
    ],
    ids=str,
)
async def test_a_scan_that_reached_something_is_complete(api, targets, not_covered):
    scan_id = await begin(api, targets=targets)
    ended = {"complete": True, "not_covered": not_covered}
    assert (await api.client.post(f"{SCANS}/{scan_id}/end", json=ended)).json()["complete"] is True


async def test_a_scan_that_never_ended_proves_nothing(api):
    await scan(api, DB)
    for _ in range(4):
        await begin(api)
    assert await lives(api) == {DB["key"]: ("new", "pending", 0)}


async def test_a_quick_scan_misses_what_a_quick_scan_found(api):
    await scan(api, DB, WEB)
    await scan(api, WEB, profile="quick")
    assert await scan(api, profile="quick") == (1, 0)
    assert await lives(api) == {DB["key"]: ("new", "pending", 0), WEB["key"]: ("new", "pending", 1)}


async def test_reports_outside_the_scan_count_as_seen_and_names_are_covered_by_nothing(api):
    body = {"collector": "network", "discoveries": [DB, NAMED]}
    await api.client.post(PATH, json=body)
    scan_id = await begin(api, targets=["0.0.0.0/0", "::/0"])
    await api.client.post(PATH, json=body)
    ended = await api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True})
    assert (ended.json()["missed"], ended.json()["gone"]) == (0, 0)
    assert await scan(api, DB, targets=["0.0.0.0/0", "::/0"]) == (0, 0)


async def test_an_address_is_covered_however_it_is_written(api):
    mapped = WEB | {"key": "[::ffff:192.0.2.9]:443/tcp"}
    six = WEB | {"key": "[2001:0DB8:0::7]:443/tcp"}
    await scan(api, mapped, six)
    assert await scan(api) == (1, 0)
    assert await scan(api, targets=["2001:db8::/64"]) == (1, 0)


async def test_the_end_of_a_scan_counts_once_and_a_report_to_an_ended_scan_is_refused(api):
    await scan(api, DB)
    scan_id = await begin(api)
    first = (await api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True})).json()
    again = (await api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True})).json()
    assert (first, first["missed"]) == (again, 1)
    assert (await lives(api))[DB["key"]][2] == 1
    refused = await api.client.post(PATH, json={"collector": "network", "scan": scan_id, "discoveries": [DB]})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:dryrun:problem:not-this-scan")
    other = await begin(api, collector="database")
    refused = await api.client.post(PATH, json={"collector": "network", "scan": other, "discoveries": [DB]})
    assert refused.status_code == 409


@pytest.mark.parametrize("programs", ["ada/operator/database"])
async def test_nobody_scans_under_another_collectors_name(api, engine):
    body = {"collector": "network", "targets": [NET], "profile": "full"}
    refused = await api.client.post(SCANS, json=body)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:dryrun:problem:not-this-collector")
    scan_id = await begin(api, collector="database")
    others = {"Authorization": "Bearer another-token-of-the-tests"}
    refused = await api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True}, headers=others)
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"targets": []},
        {"targets": ["not an address"]},
        {"targets": ["192.0.2.0/33"]},
        {"targets": [NET] * 257},
        {"targets": [NET], "exclude": ["x" * 65]},
        {"targets": [NET], "profile": "thorough"},
        {"targets": ["fe80::1%eth0"]},
    ],
)
async def test_a_scan_that_is_not_valid_is_refused(api, body):
    answer = await api.client.post(SCANS, json={"collector": "network", "profile": "full", **body})
    assert answer.status_code == 422
    unknown = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    assert (await api.client.post(f"{SCANS}/{unknown}/end", json={"complete": True})).status_code == 404


@pytest.mark.whole_pool
async def test_a_collector_gone_wild_begins_no_more_scans_than_a_days(api, monkeypatch):
    monkeypatch.setattr(scans, "MOST_A_DAY", 3)
    body = {"collector": "network", "targets": [NET], "profile": "full"}
    answers = await asyncio.gather(*(api.client.post(SCANS, json=body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 3
    await begin(api, collector="database")


@pytest.mark.whole_pool
async def test_a_report_while_a_scan_ends_is_seen_or_missed_and_never_both(api):
    for _ in range(3):
        await scan(api, DB)
        for _ in range(2):
            await scan(api)
        scan_id = await begin(api)
        found = {"collector": "network", "scan": scan_id, "discoveries": [DB]}
        _, reported = await asyncio.gather(
            api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True}),
            api.client.post(PATH, json=found),
        )
        (row,) = await listed(api)
        if reported.status_code == 200:
            assert (row["gone_at"], row["missed_scans"]) == (None, 0)
        else:
            assert (reported.status_code, row["change"], row["missed_scans"]) == (409, "gone", 3)


@pytest.mark.whole_pool
async def test_a_report_that_waited_for_the_end_of_its_scan_is_refused(api, slow_after):
    """It would return what the scan has just missed, and an approval would be lost for that."""
    await scan(api, DB)
    scan_id = await begin(api)
    missed = slow_after(scans, "_miss", 0.5)
    ending = asyncio.create_task(api.client.post(f"{SCANS}/{scan_id}/end", json={"complete": True}))
    await missed.wait()
    reported = await api.client.post(
        PATH, json={"collector": "network", "scan": scan_id, "discoveries": [DB]}
    )
    assert (await ending).json()["missed"] == 1
    assert (reported.status_code, reported.json()["type"]) == (409, "urn:dryrun:problem:not-this-scan")
    assert (await listed(api))[0]["missed_scans"] == 1
