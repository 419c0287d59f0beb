"""Services instead of addresses: reports and lists speak of what people named."""

from collections.abc import Mapping
from dataclasses import dataclass

from dryrun_contract.resource_key import ResourceKey


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: its key in canonical form, and the service it lies in, if it is a known one."""

    key: str
    service: str | None


def name_place(key: str, addresses: Mapping[str, str]) -> Place:
    """Return `key` with the service's name for its address. Other addresses, and names, stay as they are.

    Only an address is ever translated: a collector that says a service's name instead has not found it on
    the network, and `service` stays None.

    >>> name_place("10.213.0.3:5432/tcp", {"10.213.0.3": "db"})
    Place(key='db:5432/tcp', service='db')
    >>> name_place("db:5432/tcp", {"10.213.0.3": "db"})
    Place(key='db:5432/tcp', service=None)
    """
    try:
        parsed = ResourceKey.parse(key)
    except ValueError:
        return Place(key, None)
    service = addresses.get(parsed.host)
    return Place(str(parsed if service is None else parsed.on(service)), service)
