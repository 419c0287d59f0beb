"""Prometheus metrics of the orchestrator."""

from prometheus_client import Counter, Gauge

from dryrun_contract.session import Outcome

SESSIONS = Gauge("dryrun_sessions", "Sessions that have not ended, by phase.", ["phase"])
SESSIONS_ENDED = Counter("dryrun_sessions_ended", "Sessions that ended, by outcome.", ["outcome"])
for _outcome in Outcome:
    # An alert needs the zero to see the first one.
    SESSIONS_ENDED.labels(_outcome)
CLEANUP_FAILURES = Counter("dryrun_cleanup_failures", "Attempts to clean up that left something behind.")
REAPED = Counter("dryrun_reaped", "Containers and networks that the reaper removed.", ["kind"])
REAPER_FAILURES = Counter(
    "dryrun_reaper_failures", "Sessions of which something was left in a round of the reaper."
)
ISOLATED = Gauge(
    "dryrun_isolated",
    "1 when the last probe proved the host to be silent, else 0; of a fleet all that answer, none drained.",
)
ENGINE_UP = Gauge(
    "dryrun_engine_up",
    "1 while the engine's events are followed, else 0; of a fleet all engines but those of drained hosts.",
)
HOST_UP = Gauge("dryrun_host_up", "1 while a host of the fleet answers, else 0.", ["host"])
HOST_MANAGES = Gauge(
    "dryrun_host_manages", "1 while the swarm of a manager of the fleet answers, else 0.", ["host"]
)
HOST_ISOLATED = Gauge(
    "dryrun_host_isolated", "1 when the last probe on a host of the fleet proved it silent, else 0.", ["host"]
)
HOST_CONTAINERS = Gauge(
    "dryrun_host_containers", "Places of containers on a host of the fleet that sessions hold.", ["host"]
)
HOST_SESSIONS = Gauge(
    "dryrun_host_sessions", "Sessions that stand on a host of the fleet, whole or in part.", ["host"]
)
HOST_DRAINED = Gauge("dryrun_host_drained", "1 while a host of the fleet is drained, else 0.", ["host"])
HOST_LABEL = Gauge(
    "dryrun_host_label", "1 for each label that the fleet file gives a host.", ["host", "label", "value"]
)
HOST_PLACES = Gauge("dryrun_host_places", "Places of containers on a host of the fleet in all.", ["host"])
OVERLAYS_HELD = Gauge("dryrun_overlays_held", "Empty overlays of ended sessions that the swarm holds.")
POOL_WANTED = Gauge("dryrun_pool_wanted", "Sessions that the settings ask to keep prepared.")
POOL = Gauge("dryrun_pool_sessions", "Prepared sessions that nobody has claimed, by state.", ["state"])
POOL_CLAIMS = Counter(
    "dryrun_pool_claims",
    "Requests of a prepared session, by what was used: all (warm), its network, or nothing (cold).",
    ["start"],
)
POOL_DROPPED = Counter("dryrun_pool_dropped", "Prepared sessions that were dropped, by cause.", ["cause"])
JOURNAL_WRITABLE = Gauge("dryrun_journal_writable", "1 while changes can be stored in the journal, else 0.")
AUDIT_LOG_WRITABLE = Gauge(
    "dryrun_audit_log_writable", "1 while commands can be recorded in the audit log, else 0."
)
EVENTS = Gauge("dryrun_journal_newest_event", "Sequence number of the newest event.")
INSTALLED_VALID = Gauge(
    "dryrun_installed_files_valid", "1 while the installed files are in use, 0 while older ones are."
)
COMMANDS = Counter("dryrun_commands", "Commands received, by command and outcome.", ["command", "outcome"])
