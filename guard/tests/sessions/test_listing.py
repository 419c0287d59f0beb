"""A client's list: its filters narrow it, and none costs the engine more than the list itself."""

import json
from urllib.parse import urlencode

import pytest
from guard_stage import Guard, Words

from docker_guard.rules import labels
from docker_guard.sessions.listing import Listing

OWN = {labels.SESSION_ID: Words().session_id}


def _path(listing: str, **query: object) -> str:
    texts = {key: each if isinstance(each, str) else json.dumps(each) for key, each in query.items()}
    return f"/v1.45{listing}?{urlencode(texts)}"


async def _names(guard: Guard, listing: str, **query: object) -> list[str]:
    reply = await guard.ask("GET", _path(listing, **query))
    assert reply.status == 200, reply.body
    return [each.get("Name") or each["Names"][0] for each in reply.json()]


@pytest.mark.parametrize("listing", ["/containers/json", "/networks"])
async def test_a_list_by_name_holds_what_has_one_of_the_texts_in_its_name(guard: Guard, listing: str):
    for name in ("dryrun-web.1", "dryrun-web-2", "dryrun-db"):
        guard.engine.add_container(OWN, name)
        guard.engine.add_network(OWN, f"/{name}")
    guard.engine.add_container({}, "dryrun-web-foreign")
    guard.engine.add_network({}, "/dryrun-web-foreign")
    for texts, found in {
        ("web",): ["/dryrun-web.1", "/dryrun-web-2"],
        ("web-2", "db"): ["/dryrun-web-2", "/dryrun-db"],
        ("web.1",): ["/dryrun-web.1"],
        ("web.2",): [],
        ("foreign",): [],
        (): ["/dryrun-web.1", "/dryrun-web-2", "/dryrun-db"],
    }.items():
        assert await _names(guard, listing, filters={"name": texts}) == found
        assert await _names(guard, listing, filters={"name": dict.fromkeys(texts, True)}) == found


@pytest.mark.parametrize("listing", ["/containers/json", "/networks"])
async def test_the_engine_is_never_asked_for_names(guard: Guard, listing: str):
    """It reads each for a regular expression, anew for each container."""
    filters = {"name": ["a" * 99] * 32, "id": ["abc"], "label": ["x=y"]}
    await guard.ask("GET", _path(listing, filters=filters))
    assert json.loads(guard.engine.asked[-1][2]["filters"]) == {
        "id": ["abc"],
        "label": [labels.SESSION_ID, "x=y"],
    }


async def test_limit_counts_what_has_the_name(guard: Guard):
    for number in range(6):
        guard.engine.add_container(OWN, f"dryrun-{'odd' if number % 2 else 'even'}-{number}")
    odd = await _names(guard, "/containers/json", limit="2", filters={"name": ["odd"]})
    assert odd == ["/dryrun-odd-1", "/dryrun-odd-3"]
    # As the engine does: within a limit it also lists what has ended.
    asked = guard.engine.asked[-1][2]
    assert (asked.get("limit"), asked["all"]) == (None, "1")


@pytest.mark.parametrize("limit", ["0", "-1", "3"])
def test_limit_without_a_name_is_the_engines(limit: str):
    listing = Listing.of({"limit": limit, "all": "0"})
    assert (listing.query["limit"], listing.query["all"]) == (limit, "0")
    assert listing.chosen([{"Names": ["/a"]}] * 9) == [{"Names": ["/a"]}] * 9
