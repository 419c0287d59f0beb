"""The entrance: settings become adapters, adapters become the application. Importing has no effect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

import httpx2
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.access.credentials import ProgramTokens, RecentlyProven
from approval_api.access.door import admitting
from approval_api.access.large_answers import bytes_on_their_way, ceilings
from approval_api.access.open_streams import OpenStreams
from approval_api.access.permission import admit_sender
from approval_api.access.standing import Standing
from approval_api.access.turns import Turns
from approval_api.api.health import metrics_page
from approval_api.audit.log import AuditLog
from approval_api.audit.refusals import Refusals
from approval_api.audit.transaction import transactions
from approval_api.checks.service import Checks
from approval_api.database.engine import APP_ROLE, close_engine, create_engine, create_owner_engine
from approval_api.database.migration import migrate_when_reachable
from approval_api.database.watching import watch
from approval_api.events.shared_reads import SharedReads
from approval_api.events.waker import Waker
from approval_api.experiments.calculations import Calculations
from approval_api.experiments.conductor import Conductor
from approval_api.experiments.service import Experiments
from approval_api.follower.follower import Follower
from approval_api.notifications.noticing import Noticing
from approval_api.orchestrator.client import OrchestratorClient
from approval_api.pages.routes import install_pages
from approval_api.people import purge
from approval_api.people.openid import OpenIdProvider
from approval_api.people.passwords import Passwords
from approval_api.reports.service import Reports
from approval_api.retention import pruning
from approval_api.routes import DESCRIPTION, TITLE, VERSION, document, routes
from approval_api.schedules.service import Schedules
from approval_api.sessions.admission import Limits
from approval_api.sessions.outbox import Outbox
from approval_api.settings import Settings
from approval_api.telemetry.metrics import Metrics
from approval_api.trends.badges import KeptBadges
from approval_api.web.problems import answer_refusal, install_problem_handlers
from approval_api.web.request_log import RequestLog
from approval_api.web.security_headers import SecurityHeaders
from dryrun_contract.problem import problem_answers
from dryrun_serving.bodies import Bodies
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.door import Door
from dryrun_serving.metrics_listener import serving_metrics
from dryrun_serving.rate_limit import RateLimit
from dryrun_serving.telemetry import Telemetry
from dryrun_serving.working import working

_BODIES = 256
"""Bodies of up to 64 KiB that arrive at the same time, at most an eighth of them from one sender. Reports of
up to 4 MiB need ten times their size while they are stored: 4 at the same time, 2 from one sender."""


def create_app(
    settings: Settings,
    *,
    engine: AsyncEngine | None = None,
    orchestrator_transport: httpx2.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the application; its lifespan migrates the database and runs the background tasks.

    Tests pass their own `engine` and `orchestrator_transport`.
    """
    metrics = Metrics(dryrun=settings.dryrun != "off")
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        responses=problem_answers(),
        lifespan=_lifespan,
        telemetry={"tracing": False},
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.program_tokens = ProgramTokens(settings.tokens)
    app.state.recently_proven = RecentlyProven()
    app.state.passwords = Passwords()
    app.state.openid = OpenIdProvider(settings.openid) if settings.openid is not None else None
    app.state.engine = engine or create_engine(settings.database_url.get_secret_value(), role=APP_ROLE)
    app.state.standing = Standing(app.state.engine, settings.tokens, settings.provider_word_for_tokens)
    app.state.waker = Waker(app.state.engine)
    app.state.shared_reads = SharedReads(app.state.engine)
    app.state.open_streams = OpenStreams(Ceiling(settings.streams, settings.streams_per_person), metrics)
    app.state.stopping = asyncio.Event()
    app.state.turns = Turns()
    app.state.transactions = transactions()
    app.state.refusals = Refusals()
    app.state.large_answers = ceilings()
    app.state.kept_badges = KeptBadges()
    app.state.bytes_on_their_way = bytes_on_their_way()
    app.state.rate_limit = RateLimit(settings.requests_per_second, settings.requests_burst)
    app.state.limits = Limits(
        settings.sessions_at_once,
        settings.sessions_per_person,
        settings.sessions_waiting,
        settings.sessions_waiting_per_person,
        settings.sessions_per_day,
    )
    app.state.report_key = settings.signing_key
    for part in ("orchestrator", "follower", "reports", "experiments", "checks", "schedules"):
        setattr(app.state, part, None)
    install_problem_handlers(app)
    _install_doors(app, settings)
    has = {"dryrun": settings.dryrun != "off", "metrics": settings.metrics_listen is None}
    app.router.routes.extend(routes(**has))
    app.openapi = partial(document, **has)  # type: ignore[method-assign]  # how FastAPI's documentation says
    install_pages(app, settings)
    if settings.dryrun != "off":
        _compose_dryrun(app, settings, orchestrator_transport)
    return app


def _install_doors(app: FastAPI, settings: Settings) -> None:
    """Add what every request passes, the innermost first."""
    app.add_middleware(AuditLog)
    app.add_middleware(
        Bodies,
        admit=admit_sender,
        seconds=settings.body_seconds,
        small=Ceiling(_BODIES, _BODIES // 8),
        large=Ceiling(4, 2),
    )
    requests = Ceiling(settings.connections, settings.connections_per_address)
    app.add_middleware(Door, admitted=admitting(requests), answer=answer_refusal)
    public = settings.public_url
    app.add_middleware(SecurityHeaders, https=public is not None and public.scheme == "https")
    app.add_middleware(RequestLog, metrics=app.state.metrics)


def _compose_dryrun(
    app: FastAPI, settings: Settings, orchestrator_transport: httpx2.AsyncBaseTransport | None
) -> None:
    """Give `app` the parts that only dry-runs need."""
    assert settings.orchestrator_url is not None
    assert settings.orchestrator_token is not None
    app.state.orchestrator = OrchestratorClient(
        str(settings.orchestrator_url),
        settings.orchestrator_token.get_secret_value(),
        orchestrator_transport,
    )
    app.state.reports = Reports(app.state.engine, app.state.metrics, str(settings.public_url or ""))
    may_run = app.state.standing.may_run
    app.state.experiments = Experiments(app.state.engine, app.state.orchestrator, may_run)
    app.state.calculations = Calculations()
    app.state.conductor = Conductor(
        app.state.engine,
        app.state.orchestrator,
        app.state.reports,
        app.state.limits,
        may_run,
        app.state.calculations,
    )
    app.state.checks = Checks(app.state.engine, app.state.reports)
    app.state.schedules = Schedules(app.state.engine, app.state.experiments)
    app.state.follower = Follower(app.state.engine, app.state.orchestrator, app.state.metrics)


def begin_stop(app: FastAPI) -> None:
    """End event streams, so that the server's shutdown does not wait for them."""
    app.state.stopping.set()
    app.state.waker.wake_all()


async def _migrate(settings: Settings) -> None:
    """Bring the schema to this version as its owner; the application itself may log in as another role."""
    owner = create_owner_engine(settings.owner_url.get_secret_value())
    try:
        await migrate_when_reachable(owner)
    finally:
        await owner.dispose()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    settings: Settings = state.settings
    comparable = () if state.reports is None else (state.reports.are_of_this_version,)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(close_engine, state.engine)
        stack.callback(state.passwords.close)
        stack.push_async_callback(state.refusals.write_last, state.engine)
        await _migrate(settings)
        telemetry = await stack.enter_async_context(
            Telemetry("approval-api", settings.otlp_endpoint, state.metrics.registry.collect)
        )
        await stack.enter_async_context(
            working(
                {
                    "database": partial(watch, state.engine, state.metrics.database_up),
                    "noticing": Noticing(state.engine, *comparable).run,
                    "counted refusals": partial(state.refusals.run, state.engine),
                    "purge": partial(purge.run, state.engine, settings.login_limits),
                    "pruning": partial(pruning.run, state.engine, settings.retention),
                }
            )
        )
        await stack.enter_async_context(
            serving_metrics(settings.metrics_listen, lambda: metrics_page(state.metrics))
        )
        if settings.dryrun == "off":
            yield
            return
        state.orchestrator.record_span = telemetry.record
        await stack.enter_async_context(state.orchestrator)
        stack.push_async_callback(state.reports.close)
        stack.push_async_callback(state.calculations.close)
        stack.push_async_callback(state.checks.close)
        outbox = Outbox(
            state.engine,
            state.orchestrator,
            timedelta(seconds=settings.start_seconds),
            state.limits,
            state.metrics,
        )
        background = {
            "follower": state.follower.run,
            "waking of streams": state.waker.run,
            "outbox": outbox.run,
            "reports": state.reports.run,
            "experiments": state.conductor.run,
            "schedules": state.schedules.run,
            "open streams": state.open_streams.run,
        }
        async with working(background):
            try:
                yield
            finally:
                begin_stop(app)
