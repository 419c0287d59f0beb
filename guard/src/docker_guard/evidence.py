"""What every decision leaves behind: a line for the auditor, a number for the operator, never a secret."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
DECISIONS = Counter(
    "docker_guard_decisions",
    "Requests by route, verdict (allowed, absent, refused, failed) and the rule that decided.",
    ("route", "verdict", "rule"),
    registry=REGISTRY,
)
SECONDS = Histogram(
    "docker_guard_seconds",
    "From the end of a request to its decision, the engine's part included.",
    ("route",),
    registry=REGISTRY,
)
CONNECTIONS = Gauge("docker_guard_connections", "Clients that are connected.", registry=REGISTRY)
ENGINE_UP = Gauge(
    "docker_guard_engine_up", "1 when the last look at the engine succeeded.", registry=REGISTRY
)
SESSIONS = Gauge("docker_guard_sessions", "Sessions whose deadline is to come.", registry=REGISTRY)
EXPIRED_REMOVED = Counter(
    "docker_guard_expired_removed",
    "What was removed after its deadline.",
    ("kind",),
    registry=REGISTRY,
)
REMOVAL_FAILURES = Counter(
    "docker_guard_removal_failures",
    "Tries to remove something that is past its deadline which failed.",
    registry=REGISTRY,
)


class Evidence:
    """Writes one JSON object a line."""

    def __init__(
        self, out: TextIO | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._out = out or sys.stdout
        self._now = now

    def decided(
        self,
        *,
        peer: str,
        method: str,
        path: str,
        route: str,
        verdict: str,
        rule: str,
        status: int,
        seconds: float,
        reason: str = "",
        objects: Sequence[str] = (),
    ) -> None:
        """Record a decision on a request."""
        DECISIONS.labels(route, verdict, rule).inc()
        SECONDS.labels(route).observe(seconds)
        self.line(
            "decision",
            peer=peer,
            method=method,
            path=path,
            route=route,
            verdict=verdict,
            rule=rule,
            status=status,
            ms=round(seconds * 1000, 2),
            **({"reason": reason} if reason else {}),
            **({"objects": list(objects)} if objects else {}),
        )

    def line(self, what: str, **fields: Any) -> None:
        """Record anything else that happened."""
        moment = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._out.write(json.dumps({"time": moment, "type": what, **fields}) + "\n")
        self._out.flush()
