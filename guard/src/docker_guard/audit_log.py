"""The audit log and the metrics: every decision is a line and a number, never a secret."""

import json
import os
import select
import threading
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
REFUSED = Counter(
    "docker_guard_refused",
    "Requests that broke a rule, whichever: from zero on, so that an alert sees the first ones.",
    registry=REGISTRY,
)
SECONDS = Histogram(
    "docker_guard_seconds",
    "From the end of a request to its decision, the engine's time included.",
    ("route",),
    registry=REGISTRY,
)
CONNECTIONS = Gauge("docker_guard_connections", "Open connections.", registry=REGISTRY)
ENGINE_UP = Gauge("docker_guard_engine_up", "1 when the last sweep reached the engine.", registry=REGISTRY)
SESSIONS = Gauge("docker_guard_sessions", "Sessions before their deadline.", registry=REGISTRY)
EXPIRED_REMOVED = Counter(
    "docker_guard_expired_removed",
    "Containers and networks removed after their deadline.",
    ("kind",),
    registry=REGISTRY,
)
for _kind in ("container", "network"):
    # An alert needs the zero to see the first one.
    EXPIRED_REMOVED.labels(_kind)
SWEEP_LATE_SECONDS = Histogram(
    "docker_guard_sweep_late_seconds",
    "From when a sweep was due until it ended.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60),
    registry=REGISTRY,
)
SWEEP_AGE = Gauge(
    "docker_guard_sweep_age_seconds",
    "Since the end of the last successful sweep.",
    registry=REGISTRY,
)
OVERDUE_SECONDS = Gauge(
    "docker_guard_overdue_seconds",
    "At the last sweep, time since the longest-passed deadline of what was still there; 0 when nothing was.",
    registry=REGISTRY,
)
REMOVAL_FAILURES = Counter(
    "docker_guard_removal_failures",
    "Failed attempts to remove something past its deadline.",
    registry=REGISTRY,
)
BYTES_WAITING = Gauge(
    "docker_guard_audit_waiting_bytes",
    "Bytes of lines that could not be written yet: a full disk, or a pipe that nobody reads.",
    registry=REGISTRY,
)
LINES_LOST = Counter(
    "docker_guard_audit_lost", "Lines dropped because too many were waiting.", registry=REGISTRY
)
CERTIFICATE_EXPIRES = Gauge(
    "docker_guard_certificate_expires_seconds",
    "When the guard's certificate expires (Unix time); 0 without TLS.",
    registry=REGISTRY,
)

_PIECE_BYTES = select.PIPE_BUF
"""A pipe that is writable takes this much at once."""
_MOST_WAITING_BYTES = 1024 * 1024


def writing_to(descriptor: int) -> Callable[[bytes], int]:
    """Return a `write` for lines that raises OSError instead of blocking."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)

    def write(line: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError("nobody reads the audit log")
        return os.write(descriptor, line)

    return write


class AuditLog:
    """Writes one JSON object a line. What cannot be written waits, within bounds; only creations stop.

    Both the gate's and the keeper's thread write.
    """

    def __init__(self, write: Callable[[bytes], int] | None = None) -> None:
        self._write = write or writing_to(1)
        self._waiting = bytearray()
        self._lock = threading.RLock()

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
        trace: tuple[str, str] | None = None,
    ) -> None:
        """Record a decision on a request, with the trace and span that it names."""
        DECISIONS.labels(route, verdict, rule).inc()
        if verdict == "refused":
            REFUSED.inc()
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
            **({"trace_id": trace[0], "span_id": trace[1]} if trace else {}),
        )

    def line(self, what: str, **fields: Any) -> bool:
        """Record any other event. Returns whether every line is written."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": moment, "type": what, **fields}).encode() + b"\n"
        with self._lock:
            if len(self._waiting) + len(line) > _MOST_WAITING_BYTES and not self.flush():
                LINES_LOST.inc()
                return False
            self._waiting += line
            return self.flush()

    def flush(self) -> bool:
        """Write waiting lines as far as possible without blocking. Returns whether every line is written."""
        with self._lock:
            try:
                while self._waiting:
                    del self._waiting[: self._write(bytes(self._waiting[:_PIECE_BYTES]))]
            except OSError:
                pass  # reported by the gauge below, and creations stop
            BYTES_WAITING.set(len(self._waiting))
            return not self._waiting
