"""While a swarm has no leader, no list of overlays is empty: a guard says that it does not know."""

import json
import time
from urllib.parse import urlencode

import pytest
from guard_stage import Words
from worker_stage import lay, worker_of

from docker_guard.rules.policy import Policy

MANAGER = Policy(makes_overlays=True)
OVERLAYS = f"/v1.45/networks?{urlencode({'filters': json.dumps({'driver': ['overlay']})})}"
NO_LEADER = 503, "rpc error: code = Unknown desc = The swarm does not have a leader."


@pytest.fixture
def policy() -> Policy:
    return Policy(sessions=2)


async def test_no_list_of_overlays_is_empty_only_because_the_swarm_has_no_leader(guard):
    """The engine answers with what is its own, and no error."""
    assert (await guard.ask("GET", OVERLAYS)).json() == []
    guard.engine.refuse["GET", "/nodes"] = NO_LEADER
    assert (await guard.ask("GET", OVERLAYS)).status == 503
    # What stands on this host alone needs no swarm.
    assert (await guard.ask("GET", "/v1.45/networks")).json() == []
    # Nobody learns that there are tokens to join it.
    assert "/swarm" not in {path for _, path, _, _ in guard.engine.asked}


async def test_a_list_that_was_made_without_a_leader_is_made_again_with_one(guard):
    """The engine waits 20 s for a leader that was lost; meanwhile the swarm has chosen another."""
    words = Words()
    lay(guard.engine, words)
    guard.engine.leaderless_lists = 1
    (shown,) = (await guard.ask("GET", OVERLAYS)).json()
    assert shown["Labels"] == words.shared


async def test_a_leader_that_is_lost_after_it_was_found_makes_no_list_empty(guard):
    lay(guard.engine, Words())
    guard.engine.leaderless_lists, guard.engine.leaders = 2, 1
    assert (await guard.ask("GET", OVERLAYS)).status == 503
    guard.engine.leaders = None
    assert len((await guard.ask("GET", OVERLAYS)).json()) == 1


async def test_a_swarm_that_hangs_holds_a_request_for_as_long_as_two_calls(tmp_path, engine, allowlist_file):
    policy = MANAGER.model_copy(update={"engine_seconds": 1.0})
    async with worker_of(tmp_path, engine, allowlist_file, policy, managers=()) as guard:
        engine.list_seconds = engine.leader_seconds = 0.75
        begun = time.monotonic()
        assert (await guard.ask("GET", OVERLAYS)).status == 503
        assert time.monotonic() - begun < 2.5
        assert engine.times_asked("/networks") == 2


async def test_a_managers_guard_that_knows_no_overlay_for_want_of_a_leader_says_to_try_again(
    tmp_path, engine, allowlist_file
):
    words = Words()
    async with worker_of(tmp_path, engine, allowlist_file, MANAGER, managers=()) as guard:
        lay(engine, words)
        engine.refuse["GET", "/nodes"] = NO_LEADER
        engine.leaderless_lists = 100
        assert (await guard.create(words.container())).status == 503
        assert not engine.bodies("/containers/create")
        engine.refuse.clear()
        assert (await guard.create(words.container())).status == 403
        engine.leaderless_lists = 0
        assert (await guard.create(words.container())).status == 201
