"""Routes for monitoring: liveness, readiness, metrics."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.access.permission import OPEN
from approval_api.database.errors import DATABASE_ERRORS
from approval_api.database.watching import ask
from approval_api.follower.follower import Follower
from approval_api.telemetry.metrics import Metrics
from approval_api.web.problems import ProblemError
from dryrun_contract.base import UtcTime, Word
from dryrun_contract.problem import Fault
from dryrun_serving.metrics_listener import MEDIA_TYPE

router = APIRouter(tags=["health"], dependencies=[OPEN])
metrics_router = APIRouter(tags=["health"], dependencies=[OPEN])
"""Left out when metrics have an address of their own."""


class Alive(Word):
    """The process is running."""

    status: Literal["alive"] = "alive"


class FollowerReadiness(Word):
    """Whether the orchestrator's events are being followed."""

    following: bool
    detail: str
    since: UtcTime


class Readiness(Word):
    """`degraded`: stored sessions and reports are served, but the orchestrator is not followed."""

    status: Literal["ready", "degraded"]
    dryrun: Literal["on", "off"]
    follower: FollowerReadiness | None
    """None when dry-runs are switched off."""


@router.get("/livez")
async def livez() -> Alive:
    """Liveness: answers while the process runs."""
    return Alive()


@router.get("/readyz")
async def readyz(request: Request) -> Readiness:
    """Readiness: 200 when requests can be served, 503 without a database."""
    state = request.app.state
    engine: AsyncEngine = state.engine
    try:
        await ask(engine)
    except DATABASE_ERRORS as error:
        raise ProblemError(
            "not-ready",
            503,
            "the database does not answer; check the server and APPROVAL_DATABASE_URL",
            title="Not ready",
            faults=(Fault(where="database", what=type(error).__name__),),
        ) from error
    follower: Follower | None = state.follower
    return Readiness(
        status="ready" if follower is None or follower.state.following else "degraded",
        dryrun=state.settings.dryrun,
        follower=None
        if follower is None
        else FollowerReadiness(
            following=follower.state.following, detail=follower.state.detail, since=follower.state.since
        ),
    )


@metrics_router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Show the metrics in Prometheus' text format."""
    return Response(await metrics_page(request.app.state.metrics), media_type=MEDIA_TYPE)


async def metrics_page(figures: Metrics) -> bytes:
    """Return the metrics in Prometheus' text format."""
    return generate_latest(figures.registry)
