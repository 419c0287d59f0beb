"""What every decision leaves behind: a line for the auditor, a number for the operator, never a secret."""

import json
import os
import select
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

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
LINES_LOST = Counter(
    "docker_guard_evidence_lost",
    "Lines that could not be written: a full disk, or a pipe that nobody reads.",
    registry=REGISTRY,
)

_LINE_BYTES = select.PIPE_BUF
"""A pipe that can take anything at once can take this much."""
_REASON_CHARACTERS = 250


def writing_to(descriptor: int) -> Callable[[bytes], int]:
    """Return a `write` for lines that raises OSError instead of waiting: the guard never stands still."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)

    def write(line: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError("nobody reads the evidence")
        return os.write(descriptor, line)

    return write


class Evidence:
    """Writes one JSON object a line. What cannot be written is counted, and stops nothing but creations."""

    def __init__(
        self,
        write: Callable[[bytes], int] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._write = write or writing_to(1)
        self._now = now
        self._torn = b""

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

    def line(self, what: str, **fields: Any) -> bool:
        """Record anything else that happened. Returns whether all of it was written."""
        moment = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"time": moment, "type": what, **fields}
        line = _encoded(fields)
        if len(line) > _LINE_BYTES:
            line = _encoded(fields | {"reason": str(fields.get("reason", ""))[:_REASON_CHARACTERS]})
        line = self._torn + line
        try:
            written = self._write(line)
        except OSError:
            written = 0
        if written == len(line):
            self._torn = b""
        else:
            LINES_LOST.inc()
            if written:
                self._torn = b"\n"  # the next line must not continue a piece of this one
        return written == len(line)


def _encoded(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode() + b"\n"
