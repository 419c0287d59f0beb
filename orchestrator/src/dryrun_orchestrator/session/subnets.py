"""Subnets and addresses of sessions, from our own pool: Docker's default pools end at about 30 networks."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network


class SubnetPoolExhaustedError(Exception):
    """Every subnet of the pool is taken."""

    def __init__(self, pool: IPv4Network, prefix: int, tried: int) -> None:
        super().__init__(
            f"no subnet is free: each of the {tried} (/{prefix}) that are left of the pool {pool} overlaps "
            "with a network of this engine; wait for a session to end, or let ORCHESTRATOR_SUBNET_POOL be "
            "another range"
        )


def candidate_subnets(pool: IPv4Network, prefix: int, taken: Iterable[str]) -> Iterator[str]:
    """Yield the pool's subnets that no session of ours has, in order, as CIDR texts."""
    used = set(taken)
    return (str(subnet) for subnet in pool.subnets(new_prefix=prefix) if str(subnet) not in used)


def target_addresses(subnet: str, services: Sequence[str], seed: int) -> dict[str, str]:
    """Give each service an address, in an order that depends on `seed` only.

    The first host address stays free: the engine reserves it for the gateway, which such a network
    lacks. The last three are the collectors' and the probe's.
    """
    hosts = [str(host) for host in IPv4Network(subnet).hosts()][1:-3][: max(len(services), 20)]
    # Not by a generator: what it makes of a seed may change with the version of Python.
    order = sorted(services, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    return dict(zip(order, hosts, strict=False))


def collector_address(subnet: str, slot: int) -> str:
    """Return the address of the collector in `slot` 0 or 1."""
    return str(list(IPv4Network(subnet).hosts())[-1 - slot])


def probe_address(subnet: str) -> str:
    """Return the address of the isolation probe."""
    return str(list(IPv4Network(subnet).hosts())[-3])
