"""Routes for monitoring: liveness, readiness, metrics. Open to everybody who reaches this service."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import generate_latest

from dryrun_orchestrator import metrics
from dryrun_orchestrator.api.parts import Parts, parts_of
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.hosts.fleet_view import fleet_view, hosts_state, overlay_state
from dryrun_orchestrator.storage import NotStoredError
from dryrun_serving.metrics_listener import MEDIA_TYPE

READY_DEADLINE_SECONDS = 5

router = APIRouter()
metrics_router = APIRouter()
"""Left out when metrics have a listener of their own."""


@router.get("/livez")
async def live() -> dict[str, str]:
    """Liveness: answers while the process runs."""
    return {"status": "alive"}


@router.get(
    "/readyz", responses={503: {"description": "A session started now would fail; the checks say why"}}
)
async def ready(request: Request) -> Response:
    """Readiness: whether a session started now could succeed (engine, isolation, storage, files)."""
    checks = await parts_of(request).readiness.get()
    is_ready = all(state.startswith("ok") for state in checks.values())
    return JSONResponse({"ready": is_ready, "checks": checks}, status_code=200 if is_ready else 503)


async def check_readiness(parts: Parts) -> dict[str, str]:
    """Return the state of each check; `ok…` means passed. Calls the engine."""
    if parts.hosts.fleet is None:
        of_hosts = {"engine": await _engine_state(parts), "isolation": _isolation_state(parts)}
    else:
        records = await parts.journal.unfinished()
        fleet = fleet_view(parts.hosts, records)
        held = [record.held_overlay for record in records if record.held_overlay is not None]
        of_hosts = {
            "hosts": hosts_state(fleet),
            "overlay": overlay_state(fleet, parts.hosts.why_none_crosses, held, parts.hosts.last_crossing),
        }
    return {
        **of_hosts,
        "journal": await _journal_state(parts),
        "audit log": await _audit_state(parts),
        "installed files": parts.supervisor.files_state,
    }


async def _engine_state(parts: Parts) -> str:
    try:
        async with asyncio.timeout(READY_DEADLINE_SECONDS):
            await parts.hosts.only.engine.ping()
    except EngineError as error:
        return f"no: {error}"
    except TimeoutError:
        return f"no: no answer within {READY_DEADLINE_SECONDS} s"
    return "ok"


async def _journal_state(parts: Parts) -> str:
    if (fault := await parts.journal.fault()) is not None:
        return f"no: {fault}"
    try:
        return f"ok, {await parts.journal.events.newest()} events"
    except NotStoredError as error:
        return f"no: {error}"


async def _audit_state(parts: Parts) -> str:
    fault = await parts.audit.fault()
    return "ok" if fault is None else f"no: {fault}"


def _isolation_state(parts: Parts) -> str:
    if parts.supervisor.fault is not None:
        return f"no: {parts.supervisor.fault}"
    last = parts.hosts.only.isolation.last
    if last is None:
        return "no: not probed yet"
    return f"ok, {last.detail}" if last.isolated else f"no: {last.detail}"


@metrics_router.get("/metrics")
async def read_metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(await parts_of(request).metrics_page.get(), media_type=MEDIA_TYPE)


async def render_metrics(parts: Parts) -> bytes:
    """Return the metrics in Prometheus' text format."""
    with suppress(NotStoredError):  # the next figure says so
        metrics.EVENTS.set(await parts.journal.events.newest())
    metrics.JOURNAL_WRITABLE.set(await parts.journal.fault() is None)
    metrics.AUDIT_LOG_WRITABLE.set(await parts.audit.fault() is None)
    return generate_latest()
