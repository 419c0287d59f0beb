"""Composes the service: settings → journal, engine, catalog → supervisor → HTTP API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from prometheus_client import REGISTRY

from dryrun_contract.environment import SettingsError
from dryrun_contract.problem import problem_answers
from dryrun_orchestrator.api.audit import AuditLog
from dryrun_orchestrator.api.door import install_door
from dryrun_orchestrator.api.endpoints import record_stranger, record_unread, router
from dryrun_orchestrator.api.health import check_readiness, metrics_router, render_metrics
from dryrun_orchestrator.api.health import router as health_router
from dryrun_orchestrator.api.parts import Parts
from dryrun_orchestrator.api.problems import install_problem_handlers
from dryrun_orchestrator.api.sparing import Sparing
from dryrun_orchestrator.catalog.installed import OperatorFiles, Places
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.fleet.fleet_file import FleetFile, read_fleet_file
from dryrun_orchestrator.hosts.fleet_view import show_fleet
from dryrun_orchestrator.hosts.hosts import Hosts, hosts_of_fleet, one_host
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.running.supervisor import Supervisor
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.settings import Settings
from dryrun_serving.metrics_listener import serving_metrics
from dryrun_serving.telemetry import Telemetry
from dryrun_serving.tracing import Record
from dryrun_serving.working import working


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Return the service; tests pass an engine of their own.

    Reads the operator's files and takes the journal's lock. Raises OperatorFileError, JournalError, and
    SettingsError for an engine that cannot be spoken to at its address, or with its certificates.
    """
    places = Places(
        settings.allowlist, settings.collectors_dir, settings.templates_dir, settings.replicas_dir
    )
    files = OperatorFiles(places, settings.state_dir / "installed")
    fleet = None if settings.fleet is None else read_fleet_file(settings.fleet)
    journal = Journal.open(settings.state_dir)
    try:
        hosts = _hosts(settings, files, journal, fleet, engine)
    except ValueError as error:
        raise SettingsError(str(error)) from error

    def compose(record: Record | None) -> Parts:
        supervisor = Supervisor(hosts, journal, files, settings, record=record)
        parts: Parts = Parts(
            settings=settings,
            hosts=hosts,
            journal=journal,
            audit=AuditLog(settings.state_dir / "audit.jsonl"),
            supervisor=supervisor,
            readiness=Sparing(lambda: check_readiness(parts)),
            metrics_page=Sparing(lambda: render_metrics(parts)),
            pool=Sparing(supervisor.show_pool),
            fleet=Sparing(partial(show_fleet, hosts, journal)),
        )
        return parts

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Telemetry("dryrun-orchestrator", settings.otlp_endpoint, REGISTRY.collect) as telemetry:
            parts = compose(telemetry.record)
            app.state.parts = parts
            try:
                async with (
                    serving_metrics(settings.metrics_listen, parts.metrics_page.get),
                    # Without a supervisor, the API would accept sessions that nobody cleans up.
                    working({"the supervisor": parts.supervisor.run}),
                ):
                    yield
            finally:
                # The journal and the engine's labels hold everything the next process needs.
                await parts.supervisor.empty_pool()
                await parts.hosts.close()
                await parts.journal.close()

    app = FastAPI(
        title="Dry-run orchestrator",
        version="1",
        summary="Builds, watches and removes simulated networks. Internal: for the approval API only.",
        lifespan=lifespan,
        responses=problem_answers(),
        docs_url=None,
        redoc_url=None,
    )
    # Set when the process is asked to stop: long polls then answer at once.
    app.state.stopping = asyncio.Event()
    install_problem_handlers(app, record_unread)
    install_door(app, settings.token.get_secret_value(), record_stranger)
    app.include_router(router)
    app.include_router(health_router)
    if settings.metrics_listen is None:
        app.include_router(metrics_router)
    return app


def _hosts(
    settings: Settings, files: OperatorFiles, journal: Journal, fleet: FleetFile | None, engine: Engine | None
) -> Hosts:
    if fleet is not None:
        return hosts_of_fleet(fleet, files, settings, journal.id)
    used = engine or DockerEngine(settings.docker_host, cert_path=settings.docker_cert_path)
    return one_host(used, Isolation(used, files, settings, journal.id), files, settings)
