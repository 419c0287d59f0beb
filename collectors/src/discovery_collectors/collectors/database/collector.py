"""The collector `database`: what lies inside PostgreSQL, MariaDB, MySQL, MongoDB and Redis services."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from discovery_collectors.collector import Assignment, Emit
from discovery_collectors.collectors.database.engines import ENGINES, import_engine, load_engine
from discovery_collectors.collectors.database.login import (
    CredentialNeededError,
    Engine,
    LoginRefusedError,
    ServiceUnreachableError,
    log_in,
)
from discovery_collectors.collectors.database.service_report import DatabaseService, ServiceReport
from discovery_collectors.running.metered_relay import MeteredRelay
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope
from discovery_collectors.running.services import ReportedService, inspect_each, known_services
from dryrun_contract.collector_config import Credential
from dryrun_contract.discovery import Discovery

_SERVICES_AT_ONCE = 4
_PATIENT_RATE = 10
"""Packets per second at which a login through TLS, some 20 packets, fits into the libraries' 5 s."""
_SERVICE_SECONDS = 180
"""The longest one service may take, whatever it holds or pretends to hold."""


def prepare() -> None:
    """Import the client libraries of all engines."""
    for engine in ENGINES:
        import_engine(engine)


async def collect(assignment: Assignment, emit: Emit) -> None:
    """Enter every service that is, or may be, a database server, and list names. Others are left alone."""
    services = list(find_services(assignment.discoveries, assignment.scope, emit))
    # An import holds everything up, for seconds on half a processor: none while a server is waited for.
    for service in services:
        import_engine(service.engine)

    rate = PacketRate(assignment.max_rate)
    if services and rate.per_second is not None and rate.per_second < _PATIENT_RATE:
        emit.warning(
            f"below {_PATIENT_RATE} packets per second a login can take longer than a client library waits;"
            " services that answer may be reported as failed"
        )

    async def inspect(service: DatabaseService) -> None:
        report = ServiceReport(service, emit)
        if rate.per_second is None:
            await _inspect(service, assignment.credentials, report)
            return
        async with MeteredRelay(rate, (service.address, service.port)) as relay:
            reached = replace(service, relay=relay.listens_at)
            await _inspect(reached, assignment.credentials, report, relay)

    # Side by side, services would wait for each other's packets until a connection is given up.
    at_once = _SERVICES_AT_ONCE if rate.per_second is None else 1
    await inspect_each(services, inspect, emit, at_once=at_once)


def find_services(discoveries: Iterable[Discovery], scope: Scope, emit: Emit) -> Iterator[DatabaseService]:
    """Yield each service that is a database server by its answers, or by its port where they show nothing.

    What lies outside the scope is refused with a warning.
    """
    for service in known_services(discoveries, scope, emit, lambda each: _recognise(each) is not None):
        engine, certain = _recognise(service.reported) or ("", False)
        yield DatabaseService(service.address, service.port, engine, certain=certain)


def _recognise(service: ReportedService) -> tuple[str, bool] | None:
    """Return the engine and whether the service's answers showed it."""
    if service.key.transport != "tcp":
        return None
    for engine, row in ENGINES.items():
        if service.name in row.names and not service.guessed:
            return engine, True
        if service.guessed and (service.key.port == row.port or service.name in row.names):
            return engine, False
    return None


async def _inspect(
    service: DatabaseService,
    credentials: Iterable[Credential],
    report: ServiceReport,
    relay: MeteredRelay | None = None,
) -> None:
    engine = load_engine(service.engine)
    logins = ENGINES[service.engine].credentials
    own = [credential for credential in credentials if credential.engine in logins]
    try:
        async with asyncio.timeout(_SERVICE_SECONDS):
            session = await log_in(engine, service, own)
            try:
                await session.describe(report)
            finally:
                await session.close()
    except (LoginRefusedError, ServiceUnreachableError) as error:
        _report_failure(error, engine, service, report, relay)
    except TimeoutError:
        report.warning(f"stopped after {_SERVICE_SECONDS} s; what was reported until then stands")
    except Exception as error:  # noqa: BLE001  # a hostile server makes its client library fail in any way
        report.warning(f"its answers make no sense to the client library ({type(error).__name__})")


def _report_failure(
    error: LoginRefusedError | ServiceUnreachableError,
    engine: Engine,
    service: DatabaseService,
    report: ServiceReport,
    relay: MeteredRelay | None,
) -> None:
    why = f"no connection: {relay.failure}" if relay and relay.failure else _said(error, service)
    if report.entered:
        # The last report counts: what follows a login is no failed login.
        report.warning(f"{why}; what was reported until then stands")
    elif isinstance(error, CredentialNeededError):
        # Only an engine that was asked anonymously has answered as itself.
        report.closed("no credential", _said(error, service), engine.product if engine.anonymous else "")
    elif isinstance(error, LoginRefusedError):
        report.closed("refused", _said(error, service), engine.product)
    else:
        if service.certain:
            report.closed("failed", why)
        report.warning(why)


def _said(error: Exception, service: DatabaseService) -> str:
    """Return the error's text with the service's own place, where a library names the relay's."""
    text = str(error)
    if service.relay is None:
        return text
    host, port = service.relay
    # As libraries write it: `host:port`, `"host", port port`.
    place = re.compile(rf"(?<![\w.]){re.escape(host)}(?P<between>\W{{1,3}}(?:port )?){port}(?!\d)")
    return place.sub(lambda found: f"{service.address}{found['between']}{service.port}", text)
