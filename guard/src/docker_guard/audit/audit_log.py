"""The audit log: every decision is a line and counts in the metrics, and none holds a secret."""

import json
import os
import select
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from docker_guard.audit import metrics

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
        metrics.DECISIONS.labels(route, verdict, rule).inc()
        if verdict == "refused":
            metrics.REFUSED.inc()
        metrics.SECONDS.labels(route).observe(seconds)
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
                metrics.LINES_LOST.inc()
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
            metrics.BYTES_WAITING.set(len(self._waiting))
            return not self._waiting
