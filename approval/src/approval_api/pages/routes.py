"""Adds the pages to the application."""

from fastapi import FastAPI

from approval_api.pages.account_pages import router as account_router
from approval_api.pages.assets import router as assets_router
from approval_api.pages.dryrun_discovery_pages import router as dryrun_discoveries_router
from approval_api.pages.overview import router as overview_router
from approval_api.pages.people_pages import router as people_router
from approval_api.pages.problem_pages import answer_with_page
from approval_api.pages.production_pages import router as production_router
from approval_api.pages.rendering import Pages
from approval_api.pages.report_pages import router as report_router
from approval_api.pages.session_pages import router as sessions_router
from approval_api.pages.settings_page import router as settings_router
from approval_api.pages.sign_in import router as sign_in_router
from approval_api.pages.template_cards import router as templates_router
from approval_api.settings import Settings


def install_pages(app: FastAPI, settings: Settings) -> None:
    """Let `app` serve pages beside its API, and let browsers be told errors as pages."""
    app.state.pages = Pages(dryrun=settings.dryrun)
    app.state.answer_browser = answer_with_page
    for router in (
        assets_router,
        sign_in_router,
        overview_router,
        production_router,
        people_router,
        account_router,
        settings_router,
    ):
        app.include_router(router)
    if settings.dryrun == "off":
        return
    for router in (templates_router, sessions_router, dryrun_discoveries_router, report_router):
        app.include_router(router)
