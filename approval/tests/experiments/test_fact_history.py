"""A fact over the versions of the collectors that looked for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from scripted_session import scan_all
from sqlalchemy import text

from approval_api.experiments.fact_history import Look, history
from approval_api.experiments.measure import FactResult

NAME = ("service", "web:80/tcp", None)
OLD, NEW = ({"network": f"sha256:{letter * 64}"} for letter in "ab")
START = datetime(2026, 1, 31, tzinfo=UTC)


def look(hour, fate, images, *, value=None, configurations=None, was_cut=False):
    fact = None if fate is None else FactResult(kind="service", key="web:80/tcp", fate=fate, value=value)
    at = START + timedelta(hours=hour)
    one = UUID(int=hour)
    return Look(one, one, "as installed", 0, at, images, configurations or {}, fact, was_cut)


def found(versions):
    return [(each.collectors[0].image[7], each.found, each.of) for each in versions]


def test_versions_are_distinguished_by_image_and_the_last_one_comes_first():
    looks = [look(3, "missed", NEW), look(1, "found", OLD), look(2, "found", OLD), look(4, "missed", NEW)]
    shown = history("small", NAME, looks, more=False)
    assert found(shown.versions) == [("b", 0, 2), ("a", 2, 2)]
    assert [run.at.hour for run in shown.versions[1].runs] == [1, 2]


def test_another_configuration_of_the_same_image_is_another_version():
    looks = [look(hour, "found", OLD, configurations={"network": f"sha256:{hour}"}) for hour in (1, 2)]
    assert len(history("small", NAME, looks, more=False).versions) == 2


def test_values_are_counted_and_what_was_not_seen_counts_for_nobody():
    looks = [
        look(1, "found", OLD, value="4.6.2"),
        look(2, "missed", OLD, value="4"),
        look(3, "not_evaluable", OLD),
        look(4, None, OLD, was_cut=True),
        look(5, None, OLD),
    ]
    (version,) = history("small", NAME, looks, more=True).versions
    assert (version.found, version.of, version.values) == (1, 2, {"4.6.2": 1, "4": 1})
    fates = [run.fate for run in version.runs]
    assert fates == ["found", "missed", "not_evaluable", "unknown"], "a run that has no such fact is none"


@pytest.fixture
async def measured(api, orchestrator, eventually):
    """Run an experiment whose second arm misses a service."""
    scanning = asyncio.create_task(scan_all(orchestrator))
    wanted = {
        "name": "x",
        "templates": ["small"],
        "seeds": [3, 4],
        "collectors": {"old": ["network"], "new": ["network-2"]},
    }
    experiment = (await api.post("/experiments", json=wanted)).json()

    async def summed_up():
        shown = (await api.get(f"/experiments/{experiment['id']}")).json()
        results = shown["results"]
        return results and sum(arm["measured"] for arm in results["arms"]) == 4

    await eventually(summed_up, 40)
    scanning.cancel()
    await asyncio.gather(scanning, return_exceptions=True)


async def test_the_history_and_the_list_know_what_each_way_to_scan_found(api, measured, engine):
    asked = {"template": "small", "kind": "service", "key": "web:80/tcp"}
    shown = (await api.get("/experiments/facts", params=asked)).json()
    runs = sorted((run["arm"], run["fate"]) for version in shown["versions"] for run in version["runs"])
    assert runs == [("new", "missed")] * 2 + [("old", "found")] * 2
    (listed,) = (await api.get("/experiments")).json()["experiments"]
    assert listed["services"] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    html = {"Accept": "text/html"}
    assert 'class="spark"' in (await api.client.get("/dryrun/experiments", headers=html)).text
    page = await api.client.get("/dryrun/facts", params=asked, headers=html)
    assert (page.status_code, page.text.count('class="is-missed"')) == (200, 2)
    version = (await api.get("/experiments/facts", params=asked | {"attribute": "version"})).json()
    assert version["attribute"] == "version"
    async with engine.begin() as connection:
        # As an experiment of an older version has it.
        await connection.execute(
            text(
                "UPDATE gateway.experiment_runs SET measured = measured - 'configurations' - 'facts_left_out'"
            )
        )
    older = (await api.get("/experiments/facts", params=asked)).json()
    assert sum(len(each["runs"]) for each in older["versions"]) == 4
    async with engine.begin() as connection:
        # As an experiment of a newer version has it; runs of others are shown all the same.
        newer = """UPDATE gateway.experiments SET request = request::jsonb || '{"of_tomorrow": 1}'"""
        await connection.execute(text(newer))
    answer = await api.get("/experiments/facts", params=asked)
    assert (answer.status_code, answer.json()["versions"]) == (200, [])


async def test_a_fact_that_no_session_knows_has_an_empty_history(api):
    for key in ("nothing", "a\x00b", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        asked = {"template": "small", "kind": "service", "key": key}
        shown = (await api.get("/experiments/facts", params=asked)).json()
        assert (shown["versions"], shown["more"]) == ([], False)
    refused = await api.get("/experiments/facts", params=asked | {"key": "x" * 501})
    assert refused.status_code == 422
