"""Reports built from events alone: a small session with a bit of everything in it. And one that has ended."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from kept_reports import has_ended
from scripted_session import ScriptedSession

from approval_api.reports.build import build
from approval_api.reports.criteria import DEFAULT_CRITERIA, judge
from approval_api.sessions.stored import StoredSession
from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import Event
from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_contract.session import Outcome, Phase, SessionView
from dryrun_contract.template import Template

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
SESSION = UUID(int=1)
DIGEST = "sha256:" + "2" * 64
TRUTH = (
    Fact(kind="host", key="db"),
    Fact(kind="host", key="web"),
    Fact(kind="host", key="quiet", hard="no open port"),
    Fact(kind="service", key="db:5432/tcp", data={"product": "PostgreSQL", "version": "17.2"}),
    Fact(kind="service", key="web:80/tcp", data={"product": ["nginx"], "version": "1.26.3"}),
    Fact(kind="service", key="web:18734/tcp", data={"product": "nginx"}, hard="unusual port"),
    Fact(kind="database", key="db:5432/tcp/shop", data={"engine": "postgresql"}),
    Fact(kind="table", key="db:5432/tcp/shop/public/orders", data={"columns": ["id", "total"]}),
)


def found(collector, kind, key, *, confidence=1.0, **data):
    discovery = Discovery(kind=kind, key=key, data=data, confidence=confidence)
    return words.DiscoveryReported(collector=collector, run=f"{collector}-1", line=1, discovery=discovery)


def started(collector):
    image = f"discovery/test-collector-{collector}:1"
    return words.CollectorStarted(
        collector=collector, run=f"{collector}-1", image=image, image_id=DIGEST, config_digest=DIGEST
    )


def ended(collector, discoveries=3):
    return words.CollectorEnded(
        collector=collector,
        run=f"{collector}-1",
        complete=True,
        truncated=False,
        discoveries=discoveries,
        warnings=0,
        lines=discoveries + 1,
        exit_code=0,
    )


def target(service):
    return words.TargetChanged(
        service=service, image=f"discovery/test-{service}:1", image_id=DIGEST, state="healthy"
    )


TRAFFIC = words.TrafficMeasured(
    targets={
        "db": words.TargetTraffic(rx_packets=1000, rx_bytes=60_000, tx_packets=900, tx_bytes=50_000),
        "web": words.TargetTraffic(
            rx_packets=3000, rx_bytes=180_000, tx_packets=2700, tx_bytes=150_000, at_least=True
        ),
    },
    peak_packets_per_second=950.5,
    sampling_seconds=1.0,
    by_collectors=(
        words.TrafficOfCollectors(
            collectors=("network",), seconds=4, rx_packets=4000, rx_bytes=240_000, tx_packets=1, tx_bytes=1
        ),
    ),
)
LOGS = words.TargetLogsMeasured(
    targets={
        "db": words.TargetLogs(
            counts={"errors": 2, "connections": 10, "failed_logins": 3, "slow_queries": 0},
            lines=15,
            by_collectors=(
                words.LogsOfCollectors(
                    collectors=("network",), lines=15, counts={"errors": 2}, sample=("FATAL: no such role",)
                ),
                words.LogsOfCollectors(collectors=(), lines=4, sample=("checkpoint complete",)),
            ),
        ),
        "web": words.TargetLogs(
            counts=dict.fromkeys(("errors", "connections", "failed_logins", "slow_queries")),
            lines=2,
            by_collectors=(
                words.LogsOfCollectors(collectors=("network", "nmap"), lines=2, sample=("GET /",)),
            ),
            truncated=True,
            note="it died during the scan: its log ends there",
        ),
    }
)


BRING_UP = words.BringUpTraced(
    spans=tuple(
        words.BringUpSpan(step=step, service=service, begin=begin, seconds=seconds)
        for step, service, begin, seconds in (
            ("queue", None, 0.0, 0.1),
            ("checks", None, 0.1, 0.05),
            ("network", None, 0.15, 0.1),
            ("create", "db", 0.25, 0.02),
            ("create", "web", 0.26, 0.02),
            ("probe_start", None, 0.25, 0.2),
            ("probe", None, 0.45, 0.15),
            ("start", "db", 0.6, 0.4),
            ("probe_removal", None, 0.6, 0.1),
            ("start", "web", 0.62, 0.5),
            ("health", "db", 1.0, 0.9),
            ("health", "web", 1.12, 0.3),
        )
    )
)


def story():
    """Return what the orchestrator reports, by seconds since the start."""
    return [
        (0, words.SessionQueued(template="small", template_digest=DIGEST, seed=3, keep=False, actor="ada")),
        (1, words.PhaseChanged(phase=Phase.PROVISIONING)),
        (1, words.NetworkCreated(name="dryrun-1", subnet="10.213.0.0/27", expires_at=START)),
        (1, words.IsolationProbed(isolated=True, detail="no answer from the bridge")),
        (
            2,
            words.AddressesMapped(addresses={"10.213.0.3": "db", "10.213.0.4": "web", "10.213.0.5": "quiet"}),
        ),
        *((2, target(service)) for service in ("db", "web", "quiet")),
        (4, words.PhaseChanged(phase=Phase.WAITING)),
        (6, BRING_UP),
        (6, words.PhaseChanged(phase=Phase.SCANNING)),
        (6, started("network")),
        (6, started("nmap")),
        (7, found("network", "host", "10.213.0.3")),
        (7, found("nmap", "host", "10.213.0.4")),
        (8, found("network", "service", "10.213.0.3:5432/tcp", product="PostgreSQL", confidence=0.9)),
        (8, found("nmap", "service", "10.213.0.3:5432/tcp", product="PostgreSQL DB", confidence=0.5)),
        (8, found("network", "service", "10.213.0.4:80/tcp", product="nginx", version="1.0")),
        (8, found("network", "database", "10.213.0.3:5432/tcp/shop", engine="postgresql")),
        (8, found("nmap", "service", "10.213.0.9:80/tcp", product="ghost")),
        (
            9,
            words.CollectorWarned(
                collector="nmap", run="nmap-1", line=6, message="a line that is not understood"
            ),
        ),
        (9, words.TargetHarmed(service="web", harm="died", during=("network",), detail="exit code 139")),
        (10, ended("network")),
        (11, ended("nmap")),
        (11, TRAFFIC),
        (11, LOGS),
        (11, words.PhaseChanged(phase=Phase.CLEANING_UP)),
        (13, words.SessionEnded(outcome=Outcome.COMPLETED)),
    ]


def view(**changes):
    values = {
        "id": SESSION,
        "template": "small",
        "template_digest": DIGEST,
        "seed": 3,
        "keep": False,
        "requested_by": "ada",
        "requested_at": START,
        "accepted_at": START,
        "phase": Phase.ENDED,
        "outcome": Outcome.COMPLETED,
        "reason": None,
        "expires_at": None,
        "ended_at": START + timedelta(seconds=13),
        "queue_position": None,
    }
    return SessionView.model_validate({**values, **changes})


def template(truth):
    return Template(
        id="small",
        title="Small company",
        description="",
        digest=DIGEST,
        services=(),
        collectors=("network", "nmap"),
        ground_truth=GroundTruth(facts=truth),
    )


@pytest.fixture
def report_of():
    """Give a function that builds the report of a story."""

    async def built(happened=None, *, truth=TRUTH, question=None, stands_for=None, **session):
        events = [
            Event(journal=SESSION, seq=seq, session_id=SESSION, at=START + timedelta(seconds=at), data=data)
            for seq, (at, data) in enumerate(story() if happened is None else happened, 1)
        ]
        known = template(truth).model_copy(update={"stands_for": stands_for})
        stored = StoredSession(view(**session), known, history_complete=True)
        return build(stored, events, question)

    return built


@pytest.fixture
async def report(report_of):
    """A report with a bit of everything, judged by the default criteria."""
    unjudged = await report_of()
    return unjudged.model_copy(update={"verdict": judge(unjudged, DEFAULT_CRITERIA)})


@pytest.fixture
def story_events():
    """Give the story itself, to be changed."""
    return story


@pytest.fixture(name="ended")
async def ended_session(api, orchestrator, eventually):
    session_id = await api.start()
    ScriptedSession(orchestrator, UUID(session_id)).whole()
    await eventually(lambda: has_ended(api, session_id))
    return session_id
