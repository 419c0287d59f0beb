"""What carries no session's label does not exist for a client; everything else is resolved to its id."""

import asyncio
import json

import pytest
from guard_stage import Guard, Words

from docker_guard.rules import labels
from docker_guard.rules.policy import Policy

CALLS = [
    ("GET", "containers/{}/json"),
    ("GET", "containers/{}/logs?stdout=1"),
    ("GET", "containers/{}/stats?stream=0"),
    ("POST", "containers/{}/start"),
    ("POST", "containers/{}/stop"),
    ("POST", "containers/{}/wait"),
    ("DELETE", "containers/{}?force=1"),
    ("GET", "networks/{}"),
    ("DELETE", "networks/{}"),
]
FOREIGN_LABELS = [
    {},
    {labels.SESSION_ID: ""},
    {labels.SESSION_ID: "x"},
    {labels.SESSION_ID: "ABCDEF00-0000-4000-8000-000000000000"},
    {labels.SESSION_ID: "{abcdef00-0000-4000-8000-000000000000}"},
    {labels.SESSION_ID.upper(): "abcdef00-0000-4000-8000-000000000000"},
]


@pytest.mark.parametrize("foreign", FOREIGN_LABELS, ids=[json.dumps(each)[-24:] for each in FOREIGN_LABELS])
@pytest.mark.parametrize(("method", "path"), CALLS, ids=[f"{m} {p}" for m, p in CALLS])
async def test_a_foreign_object_is_answered_like_an_absent_one(guard: Guard, method, path, foreign):
    kind = path.split("/", maxsplit=1)[0]
    add = guard.engine.add_container if kind == "containers" else guard.engine.add_network
    identity = add(foreign, "secret-name", Config={"Labels": foreign})
    nothing = "0" * 64
    for reference, absent in ((identity, nothing), (identity[:12], nothing[:12]), ("secret-name", "no-name")):
        found = await guard.ask(method, f"/v1.45/{path.format(reference)}")
        none = await guard.ask(method, f"/v1.45/{path.format(absent)}")
        assert found.status == none.status == 404
        assert found.body.replace(reference.encode(), b"") == none.body.replace(absent.encode(), b"")
    touched = [call for call in guard.engine.asked if call[0] != "GET"]
    assert touched == []
    assert identity in guard.engine.containers | guard.engine.networks


async def test_the_evidence_distinguishes_foreign_from_absent(guard: Guard):
    identity = guard.engine.add_container({})
    await guard.ask("DELETE", f"/v1.45/containers/{identity}")
    await guard.ask("DELETE", f"/v1.45/containers/{'0' * 64}")
    assert [line["verdict"] for line in guard.lines] == ["refused", "absent"]


async def test_a_beginning_that_two_ids_share_means_neither(guard: Guard):
    own = {labels.SESSION_ID: Words().session_id}
    first = guard.engine.add_container(own, "a", Config={"Labels": own})
    second = first[:12] + "".join(reversed(first[12:]))
    assert second != first
    guard.engine.containers[second] = {**guard.engine.containers[first], "Id": second, "Names": ["/b"]}
    assert (await guard.ask("GET", f"/v1.45/containers/{first[:12]}/json")).status == 404
    for reference in (first, second, "a", "b", first[:30]):
        assert (await guard.ask("GET", f"/v1.45/containers/{reference}/json")).status == 200


async def test_what_was_removed_is_asked_for_anew(guard: Guard):
    own = {labels.SESSION_ID: Words().session_id}
    identity = guard.engine.add_container(own, "a", Config={"Labels": own})
    assert (await guard.ask("DELETE", f"/v1.45/containers/{identity}?force=1")).status == 204
    guard.engine.add_container({}, "a")
    assert (await guard.ask("GET", "/v1.45/containers/a/json")).status == 404
    assert (await guard.ask("GET", f"/v1.45/containers/{identity}/json")).status == 404
    # By the guard itself: the engine could say 404 of what is only remembered.
    assert guard.lines[-1]["verdict"] == "absent"


@pytest.mark.parametrize(
    ("path", "listing"), [("containers/{}/json", "/containers/json"), ("networks/{}", "/networks")]
)
async def test_many_references_cost_the_engine_one_list_at_a_time(guard: Guard, path, listing):
    own = {labels.SESSION_ID: Words().session_id}
    guard.engine.add_container(own, "mine", Config={"Labels": own})
    guard.engine.add_network(own, "mine")
    guard.engine.list_seconds = 0.05
    references = ["mine", "nobody"] * 20
    replies = await asyncio.gather(
        *(guard.ask("GET", f"/v1.45/{path.format(reference)}") for reference in references)
    )
    assert [reply.status for reply in replies] == [200, 404] * 20
    # One that the first of them began, one for all that came meanwhile; connections may come in two waves.
    assert guard.engine.times_asked(listing) <= 3


@pytest.mark.parametrize("policy", [Policy(held_bytes=20_000)])
async def test_list_for_a_reference_counts_for_no_client(guard: Guard):
    """Its answer serves others too: one client's full share would have it asked for again and again."""
    own = {labels.SESSION_ID: Words().session_id}
    for number in range(40):
        guard.engine.add_container(own, f"c{number}", Config={"Labels": own}, Padding="x" * 1000)
    assert (await guard.ask("GET", "/v1.45/containers/json")).status == 503
    assert (await guard.ask("GET", "/v1.45/containers/c3/json")).status == 200
