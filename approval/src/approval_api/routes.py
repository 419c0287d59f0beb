"""Every route of the service, under the path where it is served, and the document that describes them."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from approval_api.access.permission import OPEN
from approval_api.api.audit import router as audit_router
from approval_api.api.badges import open_router as open_badges_router
from approval_api.api.badges import router as badges_router
from approval_api.api.channels import router as channels_router
from approval_api.api.checks import router as checks_router
from approval_api.api.criteria import router as criteria_router
from approval_api.api.deliveries import destinations_router
from approval_api.api.deliveries import router as deliveries_router
from approval_api.api.dryrun_discoveries import router as dryrun_discoveries_router
from approval_api.api.dryrun_off import router as dryrun_off_router
from approval_api.api.events import router as events_router
from approval_api.api.experiments import router as experiments_router
from approval_api.api.health import metrics_router
from approval_api.api.health import router as health_router
from approval_api.api.hosts import router as hosts_router
from approval_api.api.people import router as people_router
from approval_api.api.pool import router as pool_router
from approval_api.api.production import router as production_router
from approval_api.api.reports import router as reports_router
from approval_api.api.retention import router as retention_router
from approval_api.api.rules import router as rules_router
from approval_api.api.scans import router as scans_router
from approval_api.api.schedules import router as schedules_router
from approval_api.api.session_discoveries import router as discoveries_router
from approval_api.api.sessions import router as sessions_router
from approval_api.api.templates import router as templates_router
from approval_api.api.trends import router as trends_router
from approval_api.buttons import dryrun_router as dryrun_buttons_router
from approval_api.buttons import router as buttons_router
from approval_api.pages.routes import page_routers
from dryrun_contract.problem import problem_answers

TITLE = "Approval API"
VERSION = "1"
DESCRIPTION = "Dry-runs of infrastructure discovery: sessions, events, discoveries, reports."
API_PATH = "/api/v1"
DRYRUN_PATH = f"{API_PATH}/dryrun"


@cache
def routes(*, dryrun: bool, metrics: bool) -> tuple[BaseRoute, ...]:
    """Return every route of the service; what they serve is in the application's state.

    Made once in a process: FastAPI takes 0.15 s to analyse them, which tests of 1,500 applications would pay.
    """
    table = FastAPI(responses=problem_answers(), openapi_url=None, docs_url=None, redoc_url=None)
    table.include_router(health_router)
    if metrics:
        table.include_router(metrics_router)
    for router in (
        people_router,
        audit_router,
        retention_router,
        production_router,
        scans_router,
        rules_router,
        destinations_router,
        deliveries_router,
        channels_router,
    ):
        table.include_router(router, prefix=API_PATH)
    for router in (*page_routers(dryrun=dryrun), buttons_router):
        table.include_router(router)
    if not dryrun:
        for prefix in (DRYRUN_PATH, "/dryrun"):
            table.include_router(dryrun_off_router, prefix=prefix, dependencies=[OPEN])
        return tuple(table.routes)
    for router in (
        templates_router,
        sessions_router,
        pool_router,
        hosts_router,
        events_router,
        discoveries_router,
        dryrun_discoveries_router,
        reports_router,
        criteria_router,
        experiments_router,
        checks_router,
        schedules_router,
        trends_router,
        badges_router,
    ):
        table.include_router(router, prefix=DRYRUN_PATH)
    table.include_router(open_badges_router)
    table.include_router(dryrun_buttons_router)
    return tuple(table.routes)


@cache
def document(*, dryrun: bool, metrics: bool) -> dict[str, Any]:
    """Return the OpenAPI document of `routes`; made once in a process, since it takes a second."""
    served = routes(dryrun=dryrun, metrics=metrics)
    return get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=served)
