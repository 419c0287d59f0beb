"""The events of a session, step by step, with targets that try to attack whoever looks."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fake_orchestrator import FakeOrchestrator

from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    AddressesMapped,
    CollectorEnded,
    CollectorProgressed,
    CollectorStarted,
    CollectorWarned,
    DiscoveryReported,
    IsolationProbed,
    NetworkCreated,
    PhaseChanged,
    SessionEnded,
    TargetChanged,
    TargetHarmed,
    TargetState,
    TargetTraffic,
    TrafficMeasured,
)
from dryrun_contract.session import Outcome, Phase

HOSTILE = (
    "<script>window.attacked = 1</script>",
    '"><img src=x onerror="window.attacked = 1">',
    "<div hx-get='/sign-out' hx-trigger='load'>",
    "{{ 7 * 7 }}",
    "\x1b[31mred\x1b[0m \u202etxet",
    "x" * 5000,
)
"""What banners and names of hostile targets say."""


class ScriptedSession:
    """One session at a fake orchestrator."""

    def __init__(self, orchestrator: FakeOrchestrator, session_id: UUID) -> None:
        self._orchestrator = orchestrator
        self.id = session_id
        self._template = orchestrator.templates[orchestrator.sessions[session_id].template]
        self.addresses = {
            f"10.213.0.{number}": service.name for number, service in enumerate(self._template.services, 2)
        }
        self._lines: dict[str, int] = {}

    def tell(self, data: object) -> None:
        self._orchestrator.tell(self.id, data)  # type: ignore[arg-type]  # any of the contract's events

    def enter(self, phase: str) -> None:
        self.tell(PhaseChanged(phase=Phase(phase)))

    def targets(self, state: TargetState) -> None:
        for service in self._template.services:
            self.tell(
                TargetChanged(
                    service=service.name, image=service.image, image_id=f"sha256:{'a' * 64}", state=state
                )
            )

    def build(self) -> None:
        """Make the network and bring its targets up."""
        self.enter("provisioning")
        self.tell(
            NetworkCreated(
                name=f"dryrun-{self.id}",
                subnet="10.213.0.0/27",
                expires_at=datetime.now(UTC) + timedelta(minutes=30),
            )
        )
        self.tell(IsolationProbed(isolated=True, detail="the host does not answer"))
        self.targets("created")
        self.enter("waiting")
        self.targets("running")
        self.targets("healthy")
        self.tell(AddressesMapped(addresses=self.addresses))

    def start(self, collector: str, image_id: str = f"sha256:{'b' * 64}") -> None:
        self._lines[collector] = 0
        self.tell(
            CollectorStarted(
                collector=collector,
                run=collector,
                image=f"discovery/test-collector-{collector}:1.0",
                image_id=image_id,
            )
        )

    def find(self, collector: str, kind: str, key: str, *, confidence_: float = 0.9, **data: object) -> None:
        self._lines[collector] += 1
        self.tell(
            DiscoveryReported(
                collector=collector,
                run=collector,
                line=self._lines[collector],
                discovery=Discovery(kind=kind, key=key, data=data, confidence=confidence_),
            )
        )

    def progress(self, collector: str, done: int, total: int | None, message: str = "") -> None:
        self.tell(
            CollectorProgressed(collector=collector, run=collector, done=done, total=total, message=message)
        )

    def scan(self) -> None:
        """Find what there is, and be attacked."""
        self.enter("scanning")
        self.start("network")
        for done, address in enumerate(self.addresses):
            self.progress("network", done, len(self.addresses), f"scanning {address}")
            self.find("network", "host", address)
        self.find("network", "service", "10.213.0.2:5432/tcp", product="PostgreSQL", version="17.2")
        self.find("network", "service", "10.213.0.3:80/tcp", product="nginx", version="1.26.3")
        for number, text in enumerate(HOSTILE):
            self.find("network", "service", f"10.213.0.3:{8000 + number}/tcp", product=text, banner=text)

    def attack_with_keys(self) -> None:
        """Report keys and messages that try to control whatever shows them."""
        self.tell(
            CollectorWarned(
                collector="network", run="network", line=99, message=HOSTILE[0] + HOSTILE[1][:100]
            )
        )
        self.find(
            "network", "web_app", "10.213.0.3:80/tcp/" + HOSTILE[1].replace("/", "%2F"), title=HOSTILE[0]
        )

    def end_collector(self, collector: str, *, complete: bool = True) -> None:
        self.tell(
            CollectorEnded(
                collector=collector,
                run=collector,
                complete=complete,
                truncated=False,
                discoveries=self._lines[collector],
                warnings=0,
                lines=self._lines[collector] + 1,
                exit_code=0 if complete else 1,
                reason=None if complete else "it ended without its end line",
            )
        )

    def read_databases(self) -> None:
        self.start("database")
        self.find("database", "database", "10.213.0.2:5432/tcp/shop", engine="postgresql")
        for table in ("customers", "orders"):
            self.find(
                "database",
                "table",
                f"10.213.0.2:5432/tcp/shop/public/{table}",
                columns=["id", "total"],
                rows=40,
            )
        self.end_collector("database")

    def harm(self) -> None:
        self.tell(
            TargetHarmed(
                service="web", harm="died", during=("network",), detail="it ended with exit code 137"
            )
        )

    def measure(self) -> None:
        traffic = TargetTraffic(rx_packets=1205, rx_bytes=74_000, tx_packets=990, tx_bytes=61_000)
        self.tell(
            TrafficMeasured(
                targets=dict.fromkeys(self.addresses.values(), traffic),
                peak_packets_per_second=1027.0,
                sampling_seconds=1.0,
            )
        )

    def clean_up(self, outcome: str = "completed", reason: str | None = None) -> None:
        self.enter("cleaning_up")
        self.targets("removed")
        self.tell(SessionEnded(outcome=Outcome(outcome), reason=reason))

    def whole(self, *, finds_less: bool = False) -> None:
        """Everything, from the network to its end; `finds_less` leaves the databases unread."""
        self.build()
        self.scan()
        self.attack_with_keys()
        self.end_collector("network")
        if not finds_less:
            self.read_databases()
        self.measure()
        self.clean_up()

    def scanned_by(
        self, collector: str, *, misses: str = "", version: str = "17.2", image: str = f"sha256:{'b' * 64}"
    ) -> None:
        """Everything, for an experiment: one collector that misses the service whose key ends with this."""
        self.build()
        self.enter("scanning")
        self.start(collector, image)
        for address in self.addresses:
            self.find(collector, "host", address)
        for key, data in (
            ("10.213.0.3:80/tcp", {"product": "nginx", "version": "1.26.3"}),
            ("10.213.0.2:5432/tcp", {"product": "PostgreSQL", "version": version}),
        ):
            if not (misses and key.endswith(misses)):
                self.find(collector, "service", key, **data)  # type: ignore[arg-type]  # JSON
        self.end_collector(collector)
        self.measure()
        self.clean_up()


async def scan_all(orchestrator: FakeOrchestrator, known: frozenset[UUID] = frozenset()) -> None:
    """Scan every session that starts, but for those known, until cancelled.

    `network-2` misses nginx on port 80, and says of a version what a hostile target may make it say.
    """
    done = set(known)
    while True:
        for session_id in set(orchestrator.sessions) - done:
            done.add(session_id)
            chosen = orchestrator.sessions[session_id].scan.collectors
            second = chosen == ("network-2",)
            ScriptedSession(orchestrator, session_id).scanned_by(
                chosen[0] if chosen else "network",
                misses=":80/tcp" if second else "",
                version=HOSTILE[0] if second else "17.2",
            )
        await asyncio.sleep(0.02)
