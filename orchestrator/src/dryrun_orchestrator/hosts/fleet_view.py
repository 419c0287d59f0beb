"""What people and monitoring see of the hosts: readiness, metrics, the fleet with what each host holds."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from dryrun_contract.fleet import Fleet, FleetHost
from dryrun_contract.session import Phase
from dryrun_contract.text import printable
from dryrun_orchestrator import metrics
from dryrun_orchestrator.fleet.placement import Placement
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.isolation import Verdict

MOST_NAMED = 3


async def show_fleet(hosts: Hosts, journal: Journal) -> Fleet:
    """Return the fleet as it is now, with the sessions of the journal."""
    return fleet_view(hosts, await journal.unfinished())


def fleet_view(hosts: Hosts, records: Sequence[SessionRecord]) -> Fleet:
    """Return the fleet as it is now; without hosts where there is none."""
    file = hosts.fleet
    if file is None:
        return Fleet()
    standing: dict[str, list[UUID]] = defaultdict(list)
    for record in records:
        # Of a prepared session nobody knows until it is claimed; it holds places all the same.
        if record.placement is not None and record.pool is None and record.phase is not Phase.ENDED:
            for name in Placement.from_json(record.placement).hosts:
                standing[name].append(record.id)
    left = {room.host: room.containers for room in hosts.rooms(records, file.hosts)}
    return Fleet(
        managers=file.managers,
        encrypted=file.encrypted,
        hosts=tuple(
            FleetHost(
                name=host.name,
                drained=host.name in file.drained,
                obstacle=None if host.obstacle is None else printable(host.obstacle, limit=1000),
                # Sessions that were placed when the file said that the host is larger keep their places.
                containers=max(0, file.hosts[host.name].containers - left[host.name]),
                places=file.hosts[host.name].containers,
                sessions=tuple(standing[host.name]),
                labels=dict(file.hosts[host.name].labels),
            )
            for host in hosts.all
        ),
    )


def measure(fleet: Fleet) -> None:
    """Set the metrics of each host."""
    for host in fleet.hosts:
        metrics.HOST_PLACES.labels(host=host.name).set(host.places)
        metrics.HOST_CONTAINERS.labels(host=host.name).set(host.containers)
        metrics.HOST_SESSIONS.labels(host=host.name).set(len(host.sessions))
        metrics.HOST_DRAINED.labels(host=host.name).set(host.drained)
        for key, value in host.labels.items():
            metrics.HOST_LABEL.labels(host=host.name, label=key, value=value).set(1)


def hosts_state(fleet: Fleet) -> str:
    """Return how many hosts take sessions, and why the others do not."""
    usable = sum(not host.drained and host.obstacle is None for host in fleet.hosts)
    closed = []
    for host in fleet.hosts:
        if host.obstacle is not None:
            closed.append(f"{host.name}: {host.obstacle}")
        if host.drained:
            standing = len(host.sessions)
            said = f"{host.name}: drained, {standing} session{'' if standing == 1 else 's'} on it"
            if host.containers and not standing:
                said += ", what was prepared there is being removed"
            closed.append(said)
    return "; ".join(
        [f"{'ok' if usable else 'no'}, {usable} of {len(fleet.hosts)} hosts can be used", *closed]
    )


def overlay_state(
    fleet: Fleet, why_none: str | None, held: Sequence[str] = (), last_proof: Verdict | None = None
) -> str:
    """Return why no session can begin across hosts, if so, and whether what crosses them is encrypted.

    `held` are the overlays of ended sessions that the swarm holds; the first few are named. `last_proof` is
    reported if it failed: an engine accepts encryption that its kernel lacks without reporting it.
    """
    if why_none is not None:
        said = f"ok on one host; across hosts sessions wait: {printable(why_none, limit=1000)}"
    elif fleet.encrypted:
        said = "ok, encrypted between hosts"
        if last_proof is None:
            said += "; not proved since the start: the next session across hosts does that"
    else:
        said = "ok, plain between hosts: the network between them has to be private"
    if last_proof is not None and not last_proof.isolated:
        at = last_proof.at.isoformat(timespec="seconds")
        said += f"; the last proof across hosts failed ({at}): {printable(last_proof.detail, limit=500)}"
    if held:
        more = " …" if len(held) > MOST_NAMED else ""
        said += f"; empty overlays that the swarm holds: {len(held)} ({', '.join(held[:MOST_NAMED])}{more})"
    return said
