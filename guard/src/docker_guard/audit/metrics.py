"""Prometheus metrics of the guard."""

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
