"""What NetBox's JSON and its tables share: statuses, places, and notes on what is left out."""

from dryrun_replica.inventory.found_host import FoundHost

TWICE = "services that NetBox lists twice, merged"
NO_PARENT = "services of NetBox without a host of their own, left out"
NO_PORT = "services of NetBox that list no port, left out"
NO_HOST = "addresses of NetBox without a host, left out"
IDENTIFYING = ("site", "tenant", "location", "cluster", "rack")
"""Fields whose text may tell whose network it is."""
_NOT_RUNNING = frozenset({"planned", "inventory", "offline", "failed", "paused"})
"""Statuses of hosts that do not answer. Those that are `staged` or `decommissioning` still do."""


def note_status(host: FoundHost, status: str | None) -> None:
    """Note whether a record says that its host is not running; without a status it says nothing."""
    known = (status or "").casefold()
    if known in _NOT_RUNNING:
        host.absent = f"hosts that NetBox calls {known}, left out"
    elif known:
        host.is_said_to_run = True
