"""Networks for tests, in a line each."""

from datetime import UTC, datetime

from dryrun_replica.inventory.model import Host, Inventory, Service, Source

READ_AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def service(port: int, product: str | None = None, version: str | None = None, **facts: object) -> Service:
    """A service by TCP unless `facts` say otherwise."""
    return Service.model_validate({"port": port, "product": product, "version": version, **facts})


def host(name: str, *services: Service) -> Host:
    """A host whose role is its name without the number, e.g. `web` for `web-3`."""
    in_order = tuple(sorted(services, key=lambda each: (each.port, each.transport)))
    return Host(name=name, role=name.rstrip("0123456789").rstrip("-"), services=in_order)


def network(*hosts: Host) -> Inventory:
    """An inventory of these hosts."""
    return Inventory(sources=(Source(format="csv", sha256="0" * 64),), read_at=READ_AT, hosts=hosts)
