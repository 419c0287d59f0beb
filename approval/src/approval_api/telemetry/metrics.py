"""The service's metrics in Prometheus' text format; one registry per application."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The service's metrics. Labels are route templates and fixed words, never a client's input."""

    def __init__(self, *, dryrun: bool = True) -> None:
        """Start all metrics at zero; without dry-runs, those of their events are not exported."""
        self.registry = CollectorRegistry()
        of_dryruns = self.registry if dryrun else None
        self.requests = Counter(
            "approval_http_requests_total",
            "Requests by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "approval_http_request_seconds",
            "Time to the end of the answer; event streams are left out.",
            ("route",),
            registry=self.registry,
        )
        self.streams = Gauge("approval_event_streams", "Open event streams.", registry=self.registry)
        self.database_up = Gauge(
            "approval_database_up", "1 while the database answers this process.", registry=self.registry
        )
        self.reports_refused = Counter(
            "approval_reports_refused_total",
            "Reports to production refused because their sender reached a limit of the day, by the limit.",
            ("limit",),
            registry=self.registry,
        )
        for limit in ("reports", "bytes"):
            # An alert needs the zero to see the first one.
            self.reports_refused.labels(limit)
        self.events = Counter(
            "approval_events_stored_total", "Events this process stored.", registry=of_dryruns
        )
        self.refused_events = Counter(
            "approval_events_refused_total",
            "Events that could not be stored; a refusal is stored in their place.",
            registry=of_dryruns,
        )
        self.follower_up = Gauge(
            "approval_follower_up", "1 while the orchestrator's events are followed.", registry=of_dryruns
        )
        self.follower_seq = Gauge(
            "approval_follower_seq", "Newest event number this process stored.", registry=of_dryruns
        )
        self.snapshots = Counter(
            "approval_follower_snapshots_total",
            "Times the position was gone and a snapshot took its place.",
            registry=of_dryruns,
        )
        self.judged = Counter(
            "approval_sessions_judged_total",
            "Ended sessions, by the verdict of their own criteria and by what started them.",
            ("verdict", "origin"),
            registry=of_dryruns,
        )
        for verdict in ("passed", "failed"):
            for origin in ("person", "experiment", "schedule"):
                # An alert needs the zero to see the first one.
                self.judged.labels(verdict, origin)
        self.unaccepted = Gauge(
            "approval_sessions_unaccepted",
            "Sessions the orchestrator has not accepted yet.",
            registry=of_dryruns,
        )
