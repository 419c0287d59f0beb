"""Reads the operator's fleet file: the hosts, their guards, and what sessions may take of each.

```yaml
managers: [alpha]
overlay: encrypted
hosts:
  alpha:
    guard: tcp://10.0.0.1:2376
    certificates: /etc/dryrun/alpha
    memory_mib: 16384
    cpus: 8
    sessions: 4
    labels: {zone: lab}
  beta: {…}
drained: [beta]
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dryrun_contract.fleet import HOST_NAME, MAX_HOSTS, MAX_MANAGERS
from dryrun_contract.problem import Fault
from dryrun_orchestrator.catalog.host_labels import read_labels
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Node, shown
from dryrun_orchestrator.engine.protocol import Limits

MOST_MEMORY_MIB, MOST_CPUS, MOST_SESSIONS = 4 * 1024 * 1024, 1024, 50
_NAME = re.compile(HOST_NAME)
"""Also part of a container's id in the journal, `HOST/ID`."""
_GUARD = re.compile(r"tcp://(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\]):[0-9]{1,5}")
_TOP = {"managers": True, "overlay": True, "hosts": True, "drained": False}
_OVERLAYS = ("encrypted", "plain")
_HOST = {
    "guard": True,
    "certificates": True,
    "memory_mib": True,
    "cpus": True,
    "sessions": True,
    "labels": False,
}
_CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


class FleetFileError(OperatorFileError):
    """The fleet file is invalid; `faults` lists all its problems."""


@dataclass(frozen=True, slots=True)
class FleetHost:
    """One host, and how much of it sessions may take."""

    name: str
    guard: str
    """`tcp://HOST:PORT`."""
    certificates: Path
    """Folder of `ca.pem`, `cert.pem` and `key.pem`, for mutual TLS with its guard."""
    containers: int
    """How many containers fit, by their ceilings of memory and processor."""
    sessions: int
    labels: Mapping[str, str] = field(default_factory=dict)
    """What templates may ask for, with `x-dryrun.hosts`."""


@dataclass(frozen=True, slots=True)
class FleetFile:
    """All hosts, in the file's order."""

    hosts: Mapping[str, FleetHost]
    managers: tuple[str, ...]
    """The swarm's managers: one that answers makes overlays, the first that can."""
    encrypted: bool
    """Whether what crosses hosts is encrypted; otherwise the network between them has to be private."""
    drained: frozenset[str] = frozenset()
    """Hosts that get no new sessions."""


def read_fleet_file(path: Path, *, finds_certificates: bool = True) -> FleetFile:
    """Read the file. Raises FleetFileError with all its problems.

    `finds_certificates` says whether the paths of certificates are those of this process's file system.
    """
    report = FaultList(path.name)
    try:
        document = read_yaml(read_regular_file(path), report)
    except UnreadableFileError as error:
        raise FleetFileError("the fleet file", [Fault(where=str(path), what=str(error))]) from error
    found = _fleet(document, finds_certificates=finds_certificates) if document is not None else None
    if report.faults or found is None:
        raise FleetFileError("the fleet file", report.faults)
    return found


def _fleet(document: Node, *, finds_certificates: bool) -> FleetFile | None:
    fields = document.fields(_TOP)
    overlay = fields["overlay"].text(max_length=40) if "overlay" in fields else None
    if overlay is not None and overlay not in _OVERLAYS:
        fields["overlay"].fault(f"is {shown(overlay)}; it can be {' or '.join(_OVERLAYS)}")
    entries = fields["hosts"].entries() if "hosts" in fields else {}
    if "hosts" in fields and not entries and isinstance(fields["hosts"].content, dict):
        fields["hosts"].fault("is empty; leave ORCHESTRATOR_FLEET out for one host")
    if len(entries) > MAX_HOSTS:
        fields["hosts"].fault(f"has {len(entries)} hosts; at most {MAX_HOSTS} are allowed")
    hosts = [_host(name, node, finds_certificates=finds_certificates) for name, node in entries.items()]
    _check_guards(entries, hosts)
    managers = _managers(fields["managers"], entries) if "managers" in fields else ()
    drained = [_known(item, entries) for item in fields["drained"].items()] if "drained" in fields else []
    if not managers:
        return None
    known = {host.name: host for host in hosts if host is not None}
    return FleetFile(
        hosts=known,
        managers=managers,
        encrypted=overlay == "encrypted",
        drained=frozenset(name for name in drained if name is not None),
    )


def _managers(node: Node, hosts: Mapping[str, Node]) -> tuple[str, ...]:
    """Read which hosts are managers; empty after a fault."""
    items = node.items()
    if not 1 <= len(items) <= MAX_MANAGERS and isinstance(node.content, list):
        node.fault(f"has {len(items)} hosts; 1 to {MAX_MANAGERS} can manage a swarm, best 3 or 5")
    names = [name for item in items if (name := _known(item, hosts)) is not None]
    if len(set(names)) < len(names):
        node.fault("names a host twice")
    return tuple(dict.fromkeys(names))


def _known(node: Node, hosts: Mapping[str, Node]) -> str | None:
    """Read the name of a host of this file."""
    name = node.text(max_length=40)
    if name is not None and name not in hosts:
        node.fault(f"there is no host {shown(name)}")
        return None
    return name


def _host(name: str, node: Node, *, finds_certificates: bool) -> FleetHost | None:
    if not _NAME.fullmatch(name):
        node.fault(f"{shown(name)} is not a name of a host: lower case letters, digits and dashes")
    fields = node.fields(_HOST)
    guard = fields["guard"].text(max_length=300) if "guard" in fields else None
    if guard is not None and not _is_guard(guard):
        fields["guard"].fault("is not of the form tcp://HOST:PORT")
    folder = fields["certificates"].text(max_length=1000) if "certificates" in fields else None
    if folder is not None and finds_certificates:
        _check_certificates(fields["certificates"], Path(folder))
    memory = fields["memory_mib"].integer(least=1, most=MOST_MEMORY_MIB) if "memory_mib" in fields else None
    cpus = fields["cpus"].integer(least=1, most=MOST_CPUS) if "cpus" in fields else None
    sessions = fields["sessions"].integer(least=1, most=MOST_SESSIONS) if "sessions" in fields else None
    if guard is None or folder is None or memory is None or cpus is None or sessions is None:
        return None
    labels = read_labels(fields["labels"]) if "labels" in fields else {}
    return FleetHost(name, guard, Path(folder), _room(memory, cpus), sessions, labels)


def _room(memory_mib: int, cpus: int) -> int:
    """Return how many containers fit when each takes all that it may.

    >>> _room(memory_mib=8192, cpus=6)
    12
    """
    limits = Limits()
    return min(memory_mib * 1024 * 1024 // limits.memory_bytes, cpus * 1_000_000_000 // limits.nano_cpus)


def _is_guard(text: str) -> bool:
    return bool(_GUARD.fullmatch(text)) and 0 < int(text.rpartition(":")[2]) < 65536


def _check_certificates(node: Node, folder: Path) -> None:
    missing = [name for name in _CERTIFICATES if not (folder / name).is_file()]
    if missing:
        node.fault(f"lacks {', '.join(missing)}")


def _check_guards(entries: Mapping[str, Node], hosts: list[FleetHost | None]) -> None:
    """Report a guard that two hosts name: its containers would be counted twice."""
    seen: dict[str, str] = {}
    for host in hosts:
        if host is not None and seen.setdefault(host.guard, host.name) != host.name:
            entries[host.name].fault(f"has the same guard as {shown(seen[host.guard])}")
