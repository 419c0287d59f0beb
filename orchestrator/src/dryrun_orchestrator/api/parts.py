"""The parts that the endpoints use, composed once at start."""

from dataclasses import dataclass

from fastapi import Request

from dryrun_contract.fleet import Fleet
from dryrun_contract.pool import Pool
from dryrun_orchestrator.api.audit import AuditLog
from dryrun_orchestrator.api.sparing import Sparing
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.running.supervisor import Supervisor
from dryrun_orchestrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that the endpoints use."""

    settings: Settings
    hosts: Hosts
    journal: Journal
    audit: AuditLog
    supervisor: Supervisor
    readiness: Sparing[dict[str, str]]
    """Anybody may request it, and it calls the engine."""
    metrics_page: Sparing[bytes]
    pool: Sparing[Pool]
    """Every page may request it, and it reads every session; `fleet` likewise."""
    fleet: Sparing[Fleet]


def parts_of(request: Request) -> Parts:
    """Return what the application was composed of."""
    parts: Parts = request.app.state.parts
    return parts
