"""Subnets and addresses of sessions, from a pool of our own: Docker's default pools end at 30 networks."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network


class SubnetPoolExhaustedError(Exception):
    """Every subnet of the pool is taken."""

    def __init__(self, pool: IPv4Network, prefix: int, tried: int) -> None:
        super().__init__(
            f"no subnet is free: each of the {tried} (/{prefix}) that are left of the pool {pool} overlaps "
            "with a network of this engine; wait for a session to end, or set ORCHESTRATOR_SUBNET_POOL to "
            "another range"
        )


def candidate_subnets(
    pool: IPv4Network, prefix: int, taken: Iterable[str], *, spaced: bool = False, last_first: bool = False
) -> Iterator[str]:
    """Yield the pool's subnets that are not in `taken`, in order, as CIDR text.

    Each is computed when it is asked for: a /8 has half a million. `spaced` leaves out every second one: an
    overlay's engines take addresses there for themselves. `last_first` begins at the pool's end.
    """
    used = set(taken)
    step = (2 if spaced else 1) << (pool.max_prefixlen - prefix)
    starts = range(int(pool.network_address), int(pool.broadcast_address), step)
    for start in reversed(starts) if last_first else starts:
        subnet = f"{IPv4Address(start)}/{prefix}"
        if subnet not in used:
            yield subnet


def target_addresses(subnet: str, services: Sequence[str], seed: int) -> dict[str, str]:
    """Return an address for each service, in an order that depends only on `seed` and the services' names.

    The first host address stays free: the engine reserves it for a gateway, which this network lacks. The
    last three belong to the collectors and the probe.
    """
    hosts = [str(host) for host in IPv4Network(subnet).hosts()][1:-3][: max(len(services), 20)]
    # Not by a random generator: its sequence for a seed may change between Python versions.
    order = sorted(services, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    return dict(zip(order, hosts, strict=False))


def collector_address(subnet: str, slot: int) -> str:
    """Return the address of the collector in `slot` 0 or 1."""
    return str(list(IPv4Network(subnet).hosts())[-1 - slot])


def probe_address(subnet: str, number: int = 0) -> str:
    """Return the address of the isolation probe; of several, one on each host, that of `number`."""
    return str(list(IPv4Network(subnet).hosts())[-3 - number])
