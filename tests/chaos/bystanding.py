"""What a round disturbs besides the sessions that it asks for: an experiment, and sessions prepared ahead."""

import asyncio
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import httpx2
from fleet_world import FleetWorld
from invariants import END_SECONDS, GONE_SECONDS
from local_stack import API_TOKEN, plain_client
from parts import SESSION_SECONDS
from world import World

from dryrun_local.machine.engine_view import Thing

POOL: Final[Mapping[str, str]] = {
    "ORCHESTRATOR_POOL": "quick=1",
    # With less time left than this, a claimed one would expire while it is scanned on a busy machine.
    "ORCHESTRATOR_POOL_LEAST_SECONDS": "50",
    "ORCHESTRATOR_POOL_SPARE_MEMORY": "0",
}
"""Settings of an orchestrator that keeps one session prepared, in a fleet one on each host."""
REPETITIONS: Final = 2
_ENDS: Final = frozenset({"measured", "failed"})

type AnyWorld = World | FleetWorld


async def begin_experiment(world: AnyWorld, name: str, template: str, seconds: float = 60) -> None:
    """Ask for an experiment until somebody says yes. A lost answer makes two of the name."""
    body = {"name": name, "templates": [template], "repetitions": REPETITIONS}
    async with asyncio.timeout(seconds):
        while (answer := await _ask(world, "POST", "", body)) is None or not answer.is_success:
            assert answer is None or answer.status_code not in {400, 404, 422}, answer.text
            await asyncio.sleep(0.3)


async def until_done(world: AnyWorld, name: str) -> list[dict[str, Any]]:
    """Return the experiments of a name, once all are done or have had their time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + END_SECONDS
    found: list[dict[str, Any]] = []
    while loop.time() < end:
        found = await _experiments(world, name) or found
        if found and all(each["state"] == "done" for each in found):
            break
        await asyncio.sleep(0.5)
    return found


def sessions_of(experiments: Collection[Mapping[str, Any]]) -> list[UUID]:
    """Return the sessions of experiments, each as often as a run names it."""
    return [UUID(run["session_id"]) for each in experiments for run in each["run_list"] if run["session_id"]]


def experiment_breaches(
    experiments: Collection[Mapping[str, Any]], ended: Mapping[UUID, Mapping[str, Any]]
) -> list[str]:
    """Return what does not hold of experiments whose sessions have ended as `ended` says."""
    found = [] if experiments else ["an experiment that was accepted is not listed"]
    for each in experiments:
        if each["state"] != "done":
            found.append(f"experiment {each['id']} is {each['state']} and never done")
        for run in each["run_list"]:
            what = f"run {run['number']} of experiment {each['id']}"
            outcome = ended.get(UUID(run["session_id"]), {}).get("outcome") if run["session_id"] else None
            if run["state"] not in _ENDS:
                found.append(f"{what} stays {run['state']}")
            elif run["state"] == "failed" and not run["reason"]:
                found.append(f"{what} failed without a reason")
            elif run["state"] == "measured" and outcome != "completed":
                found.append(f"{what} is measured, and its session {outcome}")
            elif run["state"] == "failed" and outcome == "completed":
                found.append(f"{what} failed, and its session completed: {run['reason']}")
    sessions = sessions_of(experiments)
    if len(set(sessions)) < len(sessions):
        found.append("two runs of experiments have one session")
    return found


async def left_of_nobody(world: AnyWorld, *, forgotten: bool) -> list[str]:
    """Return what engines hold for long of sessions that are neither anybody's nor prepared."""
    loop = asyncio.get_running_loop()
    end = loop.time() + GONE_SECONDS + SESSION_SECONDS * forgotten
    left: set[Thing] | None = None
    while left is None or (left and loop.time() < end):
        known = await asyncio.to_thread(_living, world)
        things = {each for each in await world.engine.things() if _is_session(each.session)}
        strangers = {each for each in things if each.session not in known}
        left = strangers if left is None else left & strangers
        await asyncio.sleep(0.5)
    return [f"left in the engine of nobody's session: {each}" for each in left]


def _living(world: AnyWorld) -> set[str]:
    """Return the sessions that the journal knows, and whose end it does not."""
    journal = sqlite3.connect(f"file:{world.journal_folder / 'journal.sqlite3'}?mode=ro", uri=True)
    try:
        # An overlay that the swarm holds is its session's own matter.
        found = journal.execute("SELECT id FROM sessions WHERE phase != 'ended' OR held_overlay IS NOT NULL")
        return {identity for (identity,) in found}
    finally:
        journal.close()


def _is_session(text: str | None) -> bool:
    with suppress(ValueError, TypeError):
        return str(UUID(text)) == text
    return False


async def _experiments(world: AnyWorld, name: str) -> list[dict[str, Any]] | None:
    listed = await _ask(world, "GET", "?limit=100")
    if listed is None or not listed.is_success:
        return None
    ids = [each["id"] for each in listed.json()["experiments"] if each["request"]["name"] == name]
    shown = [await _ask(world, "GET", f"/{identity}") for identity in ids]
    if any(each is None or not each.is_success for each in shown):
        return None
    return [each.json() for each in shown if each is not None]


async def _ask(world: AnyWorld, method: str, path: str, body: object = None) -> httpx2.Response | None:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    async with plain_client(timeout=8, headers=headers) as http:
        try:
            url = f"{world.api_url}/api/v1/dryrun/experiments{path}"
            return await http.request(method, url, json=body)
        except httpx2.HTTPError:
            return None
