"""The pages of the application."""

from collections.abc import Iterator
from functools import cache

from fastapi import APIRouter, FastAPI

from approval_api.pages.account.routes import router as account_router
from approval_api.pages.assets import router as assets_router
from approval_api.pages.audit.routes import router as audit_router
from approval_api.pages.checks.routes import router as checks_router
from approval_api.pages.criteria.routes import router as criteria_router
from approval_api.pages.deliveries.routes import router as deliveries_router
from approval_api.pages.discoveries.dryrun import router as dryrun_discoveries_router
from approval_api.pages.discoveries.production import router as production_router
from approval_api.pages.experiments.compare import router as compare_router
from approval_api.pages.experiments.history import router as history_router
from approval_api.pages.experiments.routes import router as experiments_router
from approval_api.pages.notifications.routes import router as notifications_router
from approval_api.pages.overview.routes import router as overview_router
from approval_api.pages.people.routes import router as people_router
from approval_api.pages.problems.answer import answer_with_page
from approval_api.pages.reference.routes import router as reference_router
from approval_api.pages.rendering import Pages
from approval_api.pages.reports.routes import router as report_router
from approval_api.pages.rules.routes import router as rules_router
from approval_api.pages.schedules.routes import router as schedules_router
from approval_api.pages.sessions.fragments import live_sessions
from approval_api.pages.sessions.routes import router as sessions_router
from approval_api.pages.settings.routes import router as settings_router
from approval_api.pages.sign_in.openid import router as openid_router
from approval_api.pages.sign_in.routes import router as sign_in_router
from approval_api.pages.templates.routes import router as templates_router
from approval_api.pages.trends.routes import router as trends_router
from approval_api.settings import Settings


def install_pages(app: FastAPI, settings: Settings) -> None:
    """Give `app` what its pages need, and let it show errors to browsers as pages."""
    app.state.pages = _pages(settings.dryrun)
    app.state.live_sessions = live_sessions(app.state.pages)
    app.state.answer_browser = answer_with_page


@cache
def _pages(dryrun: str) -> Pages:
    """Return what all pages share; made once in a process, which then compiles each template once."""
    return Pages(dryrun=dryrun)


def page_routers(*, dryrun: bool) -> Iterator[APIRouter]:
    """Yield the routers of all pages, without those about dry-runs if these are left out."""
    yield assets_router
    yield sign_in_router
    yield openid_router
    yield overview_router
    yield production_router
    yield rules_router
    yield deliveries_router
    yield people_router
    yield audit_router
    yield account_router
    yield notifications_router
    yield settings_router
    yield reference_router
    if not dryrun:
        return
    yield templates_router
    yield sessions_router
    yield dryrun_discoveries_router
    yield report_router
    yield experiments_router
    yield checks_router
    yield schedules_router
    yield trends_router
    yield criteria_router
    yield compare_router
    yield history_router
