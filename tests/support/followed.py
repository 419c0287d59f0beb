"""Events for a follower, and what it has stored of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fake_orchestrator import FakeOrchestrator
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.follower import position as positions
from approval_api.orchestrator.client import Position
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import DiscoveryReported, SessionQueued
from dryrun_contract.session import Phase, Session


def queued(orchestrator: FakeOrchestrator, session_id: UUID) -> Any:
    return orchestrator.tell(
        session_id,
        SessionQueued(template="small", template_digest="sha256:1", seed=0, keep=False, actor="ada"),
    )


def session_in(session_id: UUID, phase: Phase, **more: Any) -> Session:
    return Session(
        id=session_id,
        template="small",
        template_digest="sha256:1",
        seed=0,
        keep=False,
        phase=phase,
        created_at=datetime.now(UTC),
        **more,
    )


def reported(
    orchestrator: FakeOrchestrator,
    session_id: UUID,
    line: int,
    *,
    key: str = "10.213.0.3",
    confidence: float = 1.0,
    **data: Any,
) -> Any:
    return orchestrator.tell(
        session_id,
        DiscoveryReported(
            collector="network",
            run="1",
            line=line,
            discovery=Discovery(kind="host", key=key, confidence=confidence, data=data),
        ),
    )


async def rows(engine: AsyncEngine, query: str) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]


async def stored_numbers(engine: AsyncEngine) -> list[int]:
    return [row["seq"] for row in await rows(engine, "SELECT seq FROM gateway.dryrun_events ORDER BY seq")]


async def position(engine: AsyncEngine) -> Position | None:
    async with engine.connect() as connection:
        return (await positions.load(connection)).position


async def stored(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    query = "SELECT seq, type, data FROM gateway.dryrun_events ORDER BY seq"
    return [(row["seq"], row["type"], row["data"]) for row in await rows(engine, query)]
