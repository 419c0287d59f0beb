"""Groups hosts with the same services into classes, and names the kinds of services that they have."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from dryrun_contract.base import Word
from dryrun_replica.inventory.model import Host, HostName, Inventory, Service
from dryrun_replica.inventory.well_known import is_software


class ServiceKind(NamedTuple):
    """What two services have in common that discovery finds in the same way: all but the host."""

    transport: str
    what: str
    """Product, else protocol, in lower case."""
    version: str
    port: int

    @classmethod
    def of(cls, service: Service) -> "ServiceKind":
        """Return the kind of a service."""
        what = (service.product or service.name or "unknown").casefold()
        return cls(service.transport, what, service.version or "", service.port)

    @property
    def software(self) -> tuple[str, str]:
        """The kind without version and port."""
        return self.transport, self.what

    @property
    def release(self) -> tuple[str, str, str]:
        """The kind without its port."""
        return self.transport, self.what, self.version


class HostClass(Word):
    """Hosts with the same services; `example` is one of them, whose image would stand for all."""

    name: HostName
    """Role and letters, e.g. `web-a`; unique in its inventory."""
    role: HostName
    example: Host
    members: tuple[HostName, ...]
    """Names of its hosts, in the inventory's order."""

    @property
    def size(self) -> int:
        """How many hosts it has."""
        return len(self.members)

    @property
    def kinds(self) -> frozenset[ServiceKind]:
        """The kinds of its services."""
        return frozenset(map(ServiceKind.of, self.example.services))


def group(inventory: Inventory) -> tuple[HostClass, ...]:
    """Return the classes of an inventory, the largest first; equal ones in the inventory's order."""
    members: dict[tuple[object, ...], list[Host]] = defaultdict(list)
    for host in inventory.hosts:
        members[_signature(host)].append(host)
    in_order = sorted(members.values(), key=lambda hosts: -len(hosts))
    letters: Counter[str] = Counter()
    classes = []
    for hosts in in_order:
        # The same services, whatever they are for: the commonest role names them.
        role = Counter(host.role for host in hosts).most_common(1)[0][0]
        letters[role] += 1
        classes.append(
            HostClass(
                name=f"{role}-{letters_of(letters[role])}",
                role=role,
                example=hosts[0],
                members=tuple(host.name for host in hosts),
            )
        )
    return tuple(classes)


def _signature(host: Host) -> tuple[object, ...]:
    return host.image, *(_of_service(service) for service in host.services)


def _of_service(service: Service) -> tuple[object, ...]:
    # A title distinguishes products when it names one; else it is a page's, and two pages are one class.
    title = service.title if service.title is not None and is_software(service.title) else None
    # A scan waits for a mute port, and for one that answers it does not.
    is_mute = bool(service.is_mute) and service.product is None and service.name is None
    return ServiceKind.of(service), service.name, service.tls is not None, title, is_mute


def letters_of(number: int) -> str:
    """Return 1 as `a`, 26 as `z`, 27 as `aa`.

    >>> letters_of(1), letters_of(26), letters_of(27), letters_of(703)
    ('a', 'z', 'aa', 'aaa')
    """
    text = ""
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text


def count_kinds(classes: Iterable[HostClass]) -> Counter[ServiceKind]:
    """Return how many services of each kind there are."""
    counts: Counter[ServiceKind] = Counter()
    for each in classes:
        for service in each.example.services:
            counts[ServiceKind.of(service)] += each.size
    return counts
