"""What one person or program may report in a day: a stolen token fills neither the disk nor the audit log."""

from secrets import token_hex

import pytest
from sqlalchemy import text

from approval_api.discoveries.production import scans

PATH = "/api/v1/production/discoveries"
SCANS = "/api/v1/production/scans"
MIB = 1024 * 1024
BOB = {"Authorization": "Bearer another-token-of-the-tests"}


@pytest.fixture
def settings(settings):
    bob = "bob/operator/network:another-token-of-the-tests"
    ada, _ = settings.tokens
    tokens = (ada, type(ada).parse(bob))
    return settings.model_copy(update={"tokens": tokens})


@pytest.fixture
def limited(api):
    def limit(**limits):
        api.app.state.settings = api.app.state.settings.model_copy(update=limits)

    return limit


def discovery(number=1, **data):
    return {"kind": "service", "key": f"192.0.2.{number}:5432/tcp", "data": data}


async def report(api, *discoveries, **headers):
    body = {"collector": "network", "discoveries": discoveries}
    return await api.client.post(PATH, json=body, headers=headers)


async def begin(api, **headers):
    start = {"collector": "network", "targets": ["192.0.2.0/24"], "profile": "full"}
    return await api.client.post(SCANS, json=start, headers=headers)


async def end(api, scan):
    return await api.client.post(f"{SCANS}/{scan}/end", json={"complete": True})


async def stored_bytes(engine):
    async with engine.connect() as connection:
        return await connection.scalar(
            text(
                "SELECT pg_total_relation_size('gateway.discoveries') "
                "+ pg_total_relation_size('gateway.discovery_changes')"
            )
        )


async def counted(engine):
    async with engine.connect() as connection:
        query = "SELECT requests, bytes FROM gateway.production_intake WHERE reporter = 'program:ada'"
        return tuple((await connection.execute(text(query))).one())


def refusals(api, limit):
    return api.app.state.metrics.registry.get_sample_value("approval_reports_refused_total", {"limit": limit})


async def floods(make_report, most=50):
    """Send reports until one is refused; return how many were stored, and the refusal."""
    for number in range(most):
        answer = await make_report(number)
        if answer.status_code != 200:
            return number, answer
    raise AssertionError


@pytest.mark.parametrize("same_keys", [False, True], ids=["new", "changed"])
async def test_reports_end_where_they_have_stored_what_one_may_in_a_day(api, engine, limited, same_keys):
    limited(reported_mib_per_day=4)
    empty = await stored_bytes(engine)

    async def one_more(number):
        keys = range(1, 9) if same_keys else range(number * 8 + 1, number * 8 + 9)
        return await report(api, *(discovery(key, banner=token_hex(30_000)) for key in keys))

    stored, refused = await floods(one_more)
    assert stored > 3
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:dryrun:problem:reported-too-much"
    assert "4 MiB" in refused.json()["detail"]
    assert "APPROVAL_REPORTED_MIB_PER_DAY" in refused.json()["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
    # A row that changed leaves its older version until the next vacuum.
    assert await stored_bytes(engine) - empty < (8 if same_keys else 6) * MIB
    assert refusals(api, "bytes") == 1


async def test_requests_end_at_their_number_and_scans_count(api, limited, engine):
    limited(reports_per_day=5)
    scan = (await begin(api)).json()["id"]
    assert (await report(api, discovery())).status_code == 200
    for _ in range(3):
        assert (await end(api, scan)).status_code == 200
    for answer in (await report(api, discovery()), await begin(api), await end(api, scan)):
        assert answer.status_code == 429
        assert "APPROVAL_REPORTS_PER_DAY" in answer.json()["detail"]
    assert refusals(api, "reports") == 3
    assert (await counted(engine))[0] == 5


async def test_a_scan_whose_last_report_used_up_the_day_still_ends_and_counts(api, limited, engine):
    limited(reports_per_day=2)
    scan = (await begin(api)).json()["id"]
    assert (await report(api, discovery())).status_code == 200
    assert (await report(api, discovery(2))).status_code == 429
    ended = await end(api, scan)
    assert (ended.status_code, ended.json()["complete"]) == (200, True)
    assert (await counted(engine))[0] == 3
    # That it ended is known: nothing is lost when it is not said again.
    assert (await end(api, scan)).status_code == 429


async def test_what_scans_call_gone_counts_as_its_history(api, engine, limited):
    limited(gone_after_scans=1)
    await report(api, discovery(1, banner="x" * 40_000))
    _, before = await counted(engine)
    # What was reported before a scan began, and not since, is missed.
    assert (await end(api, (await begin(api)).json()["id"])).json()["gone"] == 1
    _, after = await counted(engine)
    assert after - before > 80_000
    await report(api, discovery(1, banner="x" * 40_000))
    assert (await counted(engine))[1] - after > 80_000


async def test_the_same_again_stores_nothing_and_counts_as_a_request_only(api, engine):
    await report(api, discovery(1, banner="x" * 1000))
    requests, before = await counted(engine)
    assert 1000 < before < 2000
    await report(api, discovery(1, banner="x" * 1000))
    assert await counted(engine) == (requests + 1, before)


async def test_what_is_refused_or_fails_counts_nothing(api, engine):
    await report(api, discovery())
    counts = await counted(engine)
    body = {"collector": "web", "discoveries": [discovery(2)]}
    assert (await api.client.post(PATH, json=body)).status_code == 403
    assert await counted(engine) == counts


async def test_others_report_meanwhile_and_the_next_day_is_free(api, engine, limited):
    limited(reports_per_day=1)
    assert (await report(api, discovery())).status_code == 200
    assert (await report(api, discovery(2))).status_code == 429
    assert (await report(api, discovery(2), **BOB)).status_code == 200
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.production_intake SET day = day - 1"))
    assert (await report(api, discovery(3))).status_code == 200
    assert (await counted(engine))[0] == 1
    assert (await report(api, discovery(3))).status_code == 429


async def test_what_began_before_midnight_takes_nothing_from_the_count_of_the_new_day(api, engine):
    await report(api, discovery())
    async with engine.begin() as connection:
        # As another report left it that began after midnight and was faster.
        await connection.execute(text("UPDATE gateway.production_intake SET day = day + 1, requests = 7"))
    assert (await report(api, discovery(2))).status_code == 200
    assert (await counted(engine))[0] == 8
    async with engine.connect() as connection:
        query = "SELECT day > current_date FROM gateway.production_intake"
        assert await connection.scalar(text(query))


async def test_who_begins_too_many_scans_as_a_collector_keeps_no_other_from_beginning_theirs(
    api, monkeypatch
):
    monkeypatch.setattr(scans, "MOST_A_DAY", 1)
    assert [(await begin(api)).status_code for _ in range(2)] == [201, 429]
    assert [(await begin(api, **BOB)).status_code for _ in range(2)] == [201, 429]
