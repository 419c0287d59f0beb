"""Replaces addresses by service names, which reports and lists show."""

from collections.abc import Mapping
from dataclasses import dataclass

from dryrun_contract.resource_key import ResourceKey


@dataclass(frozen=True, slots=True)
class Place:
    """A key in canonical form, and the service that it lies in, if that is known."""

    key: str
    service: str | None


def name_place(key: str, addresses: Mapping[str, str]) -> Place:
    """Return `key` with the service's name for its address. Other addresses, and names, stay as they are.

    Only an address is replaced: a collector that reports a service's name has not found it on the network,
    and `service` stays None.

    >>> name_place("10.213.0.3:5432/tcp", {"10.213.0.3": "db"})
    Place(key='db:5432/tcp', service='db')
    >>> name_place("[::ffff:10.213.0.3]:5432/tcp", {"10.213.0.3": "db"}).service
    'db'
    >>> name_place("db:5432/tcp", {"10.213.0.3": "db"})
    Place(key='db:5432/tcp', service=None)
    """
    try:
        parsed = ResourceKey.parse(key)
    except ValueError:
        return Place(key, None)
    service = addresses.get(str(parsed.address or parsed.host))
    return Place(str(parsed if service is None else parsed.on(service)), service)
