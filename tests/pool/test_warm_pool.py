"""The warm pool on the real engine behind the real guard: claimed once, dropped in time, nothing left."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from local_stack import ORCHESTRATOR_TOKEN, Stack, plain_client
from pool_stack import gone, line, open_pool_stack, ready, require_whole, start_while_killed, until

from dryrun_cli.errors import CliError
from dryrun_contract.session import SessionView

pytestmark = [pytest.mark.engine, pytest.mark.long(220), pytest.mark.asyncio(loop_scope="module")]

SEED = 27


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(empty_cluster: Path) -> AsyncIterator[Stack]:
    async with open_pool_stack(empty_cluster, {}) as opened:
        yield opened


def of_target(docker: Callable[..., str], session_id: UUID) -> str:
    label = f"label=discovery.dryrun.session_id={session_id}"
    return docker("ps", "-q", "--filter", label, "--filter", "label=discovery.dryrun.service=web").strip()


async def test_a_start_claims_what_is_prepared_and_finds_the_same(stack: Stack) -> None:
    prepared = await ready(stack)
    (network,) = [each for each in await stack.things_of(prepared) if each.kind == "network"]
    assert network
    session_id = await stack.start_session("quick")
    assert session_id == prepared
    session = await require_whole(stack, session_id)
    assert session.prepared_at is not None
    assert session.prepared_at < session.requested_at
    assert await ready(stack) != prepared


@pytest.mark.parametrize("harm", ["kill", "rm -f", "pause"])
async def test_it_is_dropped_when_somebody_harms_a_target(
    stack: Stack, docker: Callable[..., str], harm: str
) -> None:
    prepared = await ready(stack)
    docker(*harm.split(), of_target(docker, prepared))
    await ready(stack, other_than=prepared)
    await gone(stack, prepared)


async def test_a_start_that_comes_before_harm_is_noticed_starts_cold_and_completes(
    stack: Stack, docker: Callable[..., str]
) -> None:
    prepared = await ready(stack)
    target = of_target(docker, prepared)
    start = asyncio.create_task(stack.start_session("quick"))
    await asyncio.to_thread(docker, "kill", target)
    session_id = await start
    session = await stack.wait_until_ended(session_id, 180)
    # Whoever was faster: a session that was claimed whole says who stopped its target.
    assert session.outcome == "completed" or "stopped by somebody else" in str(session.reason)
    assert await stack.things_of(session_id) == []


async def test_a_late_request_of_a_dropped_id_starts_cold_and_keeps_its_deadline(
    stack: Stack, docker: Callable[..., str]
) -> None:
    prepared = await ready(stack)
    before = (await line(stack))["ready"][0]["expires_at"]
    docker("rm", "-f", of_target(docker, prepared))
    await ready(stack, other_than=prepared)
    headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}", "X-Actor": "late"}
    async with plain_client(headers=headers, timeout=20) as http:
        answer = await http.put(f"{stack.orchestrator.url}/sessions/{prepared}", json={"template": "quick"})
    assert answer.status_code == 201

    async def adopted() -> bool:
        try:
            return (await stack.session(prepared)).phase != "queued"
        except CliError:
            return False

    await until(adopted)
    session = await require_whole(stack, prepared)
    assert session.prepared_at is None
    assert session.expires_at is not None
    assert session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ") == before


async def test_it_is_dropped_and_replaced_when_the_allowlist_changes(stack: Stack) -> None:
    prepared = await ready(stack)
    path = stack.installation.state / "allowlist.json"
    allowlist = json.loads(path.read_text())
    allowlist["images"]["discovery/test-new:1"] = {"id": f"sha256:{9:064x}"}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(allowlist))
    new.rename(path)
    await ready(stack, other_than=prepared)
    await gone(stack, prepared)


async def test_a_queued_session_takes_the_place_of_a_prepared_one(stack: Stack) -> None:
    first = await stack.start_session("quick", keep=True)
    await stack.wait_for_phase(first, "kept", seconds=120)
    prepared = await ready(stack)
    # Both places are taken now: one by a session, one by what is prepared.
    other = await stack.start_session("other")
    await require_whole(stack, other)
    await gone(stack, prepared)
    await stack.client.stop_session(first)
    await stack.wait_until_ended(first)
    await ready(stack)


async def test_kills_at_any_moment_claim_once_and_leave_nothing(stack: Stack) -> None:
    chance = random.Random(SEED)
    for _ in range(3):  # while it is prepared, or just ready
        await asyncio.sleep(chance.uniform(0.2, 2.5))
        await stack.orchestrator.kill()
        await stack.orchestrator.start(ready=False)
    for _ in range(3):  # in the middle of a claim
        await ready(stack)
        session_id = await start_while_killed(stack, chance.uniform(0, 0.12))
        if session_id is not None:
            # Killed before it said what is prepared, it keeps that for the next start; this one was cold.
            await require_whole(stack, session_id)
    await ready(stack)  # a slow machine may still be starting it
    async with asyncio.timeout(60):
        owners = {each.session for each in await stack.owned_things()}
        while owners - {str(await ready(stack))}:
            await asyncio.sleep(0.5)
            owners = {each.session for each in await stack.owned_things()}


async def test_a_kill_of_the_api_between_row_and_claim_claims_with_the_same_id(stack: Stack) -> None:
    prepared = await ready(stack)
    start = asyncio.create_task(stack.start_session("quick"))
    await asyncio.sleep(0.03)
    await stack.api.kill()
    await stack.api.start()
    with pytest.raises(CliError):
        await start
    sessions = [SessionView.model_validate(each, extra="ignore") async for each in stack.client.sessions()]
    if sessions and sessions[0].id == prepared:
        await require_whole(stack, prepared)


async def test_an_orderly_end_leaves_nothing(stack: Stack) -> None:
    await ready(stack)
    owned = await stack.owned_things()
    assert owned
    await stack.orchestrator.stop()
    left = {each.session for each in await stack.engine.things()} & {each.session for each in owned}
    assert left == set()
    await stack.orchestrator.start()
