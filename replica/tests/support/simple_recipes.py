"""Recipes for tests: software for nginx, OpenSSH and PostgreSQL, a relative for HTTP, a banner for BIND."""

from dryrun_replica.inventory.model import Host, Service
from dryrun_replica.levels import Level, Match

VERSIONS = {"nginx": "1.26", "openssh": "10.0", "postgresql": "15"}


def match(service: Service) -> Match:
    """What would stand for a service."""
    product = (service.product or "").casefold()
    if product in VERSIONS:
        here = VERSIONS[product]
        same = service.version == here
        return Match(
            level=Level.SAME_VERSION if same else Level.SAME_PRODUCT,
            recipe=product,
            product=service.product,
            version=here,
            why="" if same else f"version {here} instead of {service.version}",
            build_seconds=1.0,
            size_mb=2,
        )
    if service.name == "http":
        return Match(
            level=Level.RELATIVE, recipe="nginx", product="nginx", version="1.26", why="the same protocol"
        )
    if product == "bind":
        return Match(level=Level.BANNER, product="BIND", why="a banner that names it")
    return Match(level=Level.NOTHING, why="no recipe")


def match_host(host: Host) -> tuple[Match, ...]:
    """What would stand for each service of a host."""
    return tuple(map(match, host.services))
