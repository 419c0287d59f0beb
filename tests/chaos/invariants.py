"""What must hold whatever was broken, checked from outside: engine, PostgreSQL, journal, logs."""

import asyncio
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from faults import docker
from local_stack import API_TOKEN, ORCHESTRATOR_TOKEN
from parts import SESSION_SECONDS
from quick_stack import FOUND
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from world import World, new_name

from dryrun_local.machine.engine_view import Thing

OUTCOMES = frozenset({"completed", "failed", "stopped", "expired"})
END_SECONDS = SESSION_SECONDS + 120
GONE_SECONDS = 30.0
"""So long after the sessions' ends things of theirs may be seen."""
SECRETS = (API_TOKEN, ORCHESTRATOR_TOKEN, "not-this-one")
UNDISTURBED = frozenset({"quick", "spread"})
"""Templates whose own targets and collectors do what they should."""
FALSE_REASONS = ("the network is not isolated", "the network is no longer isolated", "never created")
"""No fault lets a host answer, and a target that was not made is made at the next try."""
REMOVED = "removed by somebody else"
DISCOVERED, ENDED = "discovery_reported", "collector_ended"

type Row = tuple[str, int, str, str, dict[str, Any]]
"""Journal, number, session, type, data."""


@dataclass(frozen=True, slots=True)
class Bystanders:
    """Things of others: nothing that happens may change them."""

    containers: tuple[str, ...]
    network: str
    volume: str

    @classmethod
    def make(cls, world: World, session_id: UUID) -> "Bystanders":
        """Put some beside the sessions, one with a label that merely contains a session's id."""
        network, volume = new_name(), new_name()
        docker(world, "network", "create", "--internal", "--subnet=10.213.95.0/29", network)
        docker(world, "volume", "create", volume)
        containers = tuple(
            docker(
                world, "create", "--network=none", f"--label={label}", "--entrypoint=sleep",
                "discovery/test-nginx:1.26", "100000",
            )[0]
            for label in (f"discovery.dryrun.session_id=x{session_id}", "some=thing")
        )  # fmt: skip
        return cls(containers, network, volume)

    def harmed(self, world: World) -> Iterator[str]:
        """Say what is missing."""
        here = docker(world, "container", "ls", "--all", "--quiet", "--no-trunc")
        for container in self.containers:
            if container not in here:
                yield f"the container {container[:12]} of somebody else is gone"
        if self.network not in docker(world, "network", "ls", "--format={{.Name}}"):
            yield "the network of somebody else is gone"
        if self.volume not in docker(world, "volume", "ls", "--quiet"):
            yield "the volume of somebody else is gone"

    def remove(self, world: World) -> None:
        """Take them away at the campaign's end."""
        docker(world, "rm", "--force", *self.containers)
        docker(world, "network", "rm", self.network)
        docker(world, "volume", "rm", self.volume)


async def until_ended(world: World, session_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Wait until the API calls each session ended; what it does not is missing from the answer."""
    loop = asyncio.get_running_loop()
    end = loop.time() + END_SECONDS
    ended: dict[UUID, dict[str, Any]] = {}
    while len(ended) < len(session_ids) and loop.time() < end:
        for session_id in session_ids:
            session = await world.session(session_id)
            if session is not None and session["phase"] == "ended":
                ended[session_id] = session
        await asyncio.sleep(0.3)
    return ended


async def left_in_engine(world: World, session_ids: Collection[UUID], seconds: float) -> list[Thing]:
    """Return what the engine still holds of these sessions after a while."""
    wanted = {str(session_id) for session_id in session_ids}
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while left := [thing for thing in await world.engine.things() if thing.session in wanted]:
        if loop.time() > end:
            return left
        await asyncio.sleep(0.5)
    return []


async def stored_events(world: World) -> list[Row]:
    """Return all events that PostgreSQL holds."""
    engine = create_async_engine(world.database_url)
    try:
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT journal::text, seq, session_id::text, type, data FROM gateway.dryrun_events")
            )
            # Sorted here: sorting many events takes the database a file, on a disk with room for little.
            return sorted((tuple(row) for row in found), key=lambda row: row[:2])  # type: ignore[arg-type, misc]  # columns have no types
    finally:
        await engine.dispose()


def journal_events(world: World) -> list[Row]:
    """Return all events of the orchestrator's journal, with the journal's id."""
    path = world.journal_folder / "journal.sqlite3"
    journal = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        found = journal.execute("SELECT seq, session_id, type, data FROM events ORDER BY seq").fetchall()
    finally:
        journal.close()
    return [("", seq, session, kind, json.loads(data)) for seq, session, kind, data in found]


async def breaches(
    world: World,
    sessions: dict[UUID, str],
    ended: dict[UUID, dict[str, Any]],
    *,
    whole: bool = True,
    forgotten: bool = False,
    removed: bool = False,
) -> list[str]:
    """Return every invariant that does not hold.

    `sessions` maps those of the round to their templates, `whole` says that every collector had to come to
    its end, `forgotten` that the orchestrator lost what it knew of them, `removed` that somebody else may
    have removed what is theirs.
    """
    found = [f"session {each} of {sessions[each]} never ended" for each in sessions if each not in ended]
    for session_id, session in ended.items():
        found += _wrong_end(session_id, session, FALSE_REASONS if removed else (*FALSE_REASONS, REMOVED))
    patience = GONE_SECONDS + SESSION_SECONDS * forgotten
    left = await left_in_engine(world, sessions, patience)
    found += [
        f"left in the engine: {thing}" for thing in left if not await _is_held(world, thing, left, ended)
    ]
    stored, said = await _settled(world)
    found += _gaps(stored)
    by_number = {(row[1], row[2]): row[2:] for row in stored}
    lost = [row[1] for row in said if by_number.get((row[1], row[2])) != row[2:]]
    if lost:
        found.append(
            f"events {lost[:5]}… ({len(lost)} of {len(said)}) of the journal are not as PostgreSQL has them"
        )
    for session_id, session in ended.items():
        if session["outcome"] == "completed" and sessions[session_id] in UNDISTURBED:
            found += _other_findings(stored, session_id, whole=whole)
    found += list(_secrets(world))
    return found


async def _is_held(
    world: World, thing: Thing, left: Collection[Thing], ended: dict[UUID, dict[str, Any]]
) -> bool:
    """Return whether the swarm alone holds an overlay, and the session's reason and readiness say so."""
    beside = [each for each in left if each.session == thing.session and each != thing]
    session = ended.get(UUID(thing.session)) if thing.session else None
    if thing.kind != "network" or beside or session is None:
        return False
    return f"its empty overlay {thing.name} is left" in str(session["reason"]) and await world.holds(thing)


def _wrong_end(session_id: UUID, session: dict[str, Any], false: Collection[str]) -> Iterator[str]:
    if session["outcome"] not in OUTCOMES:
        yield f"session {session_id} ended as {session['outcome']!r}"
    if session["outcome"] != "completed" and not session["reason"]:
        yield f"session {session_id} is {session['outcome']} without a reason"
    if any(words in str(session["reason"]) for words in false):
        yield f"session {session_id} is {session['outcome']} for a reason that cannot be: {session['reason']}"


async def _settled(world: World, seconds: float = 30) -> tuple[list[Row], list[Row]]:
    """Wait until PostgreSQL has as many events of this journal as the journal."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        said = await asyncio.to_thread(journal_events, world)
        stored = await stored_events(world)
        have = {(row[1], row[2], row[3]) for row in stored}
        if all((row[1], row[2], row[3]) in have for row in said) or loop.time() > end:
            return stored, said
        await asyncio.sleep(0.5)


def _gaps(stored: list[Row]) -> Iterator[str]:
    by_journal: dict[str, list[int]] = defaultdict(list)
    for journal, seq, *_ in stored:
        by_journal[journal].append(seq)
    for journal, numbers in by_journal.items():
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"PostgreSQL's events of journal {journal[:8]} have gaps or doubles"


def _other_findings(stored: list[Row], session_id: UUID, *, whole: bool) -> Iterator[str]:
    rows = [(kind, data) for _, _, session, kind, data in stored if session == str(session_id)]
    names = {
        address: name
        for kind, data in rows
        if kind == "addresses_mapped"
        for address, name in data["addresses"].items()
    }
    reported = []
    for kind, data in rows:
        if kind == DISCOVERED:
            address, separator, rest = data["discovery"]["key"].partition(":")
            reported.append(
                (data["collector"], data["discovery"]["kind"], names.get(address, address) + separator + rest)
            )
    # What a collector did not bring to its end may lack something, and says so.
    short = {
        data["collector"]: data["reason"] for kind, data in rows if kind == ENDED and not data["complete"]
    }
    if whole and short:
        yield f"session {session_id} has incomplete collectors, and nothing was broken: {short}"
    excused = set(short)
    if "network" in short and ("network", "service", "cache:6379/tcp") not in reported:
        # It looks into what others reported.
        excused.add("database")
    other = {found for found in set(reported) ^ FOUND if found not in FOUND or found[0] not in excused}
    if other:
        yield f"session {session_id} completed with other findings: {sorted(other)}"
    ends = Counter(kind for kind, _ in rows if kind == "session_ended")
    if ends["session_ended"] != 1:
        yield f"session {session_id} ended {ends['session_ended']} times"


def _secrets(world: World) -> Iterator[str]:
    for service in world.services.values():
        said = service.said()
        for secret in SECRETS:
            if secret.encode() in said:
                yield f"the log of {service.name} holds the secret {secret[:6]}…"
