"""The ground truth of the bench's own networks: which host runs which server on which port (networks.yml)."""

from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Service:
    """One listening port. A product is right if it contains one of `products`; none: nothing names it."""

    server: str
    port: int
    process: str
    products: tuple[str, ...]

    def named_by(self, product: str) -> bool:
        """Return whether `product` names this server."""
        return any(name in product.casefold() for name in self.products)


@dataclass(frozen=True)
class Host:
    """One container, with everything that listens in it."""

    name: str
    services: tuple[Service, ...]

    @property
    def arguments(self) -> list[str]:
        """What the image's entry point is to run."""
        ports: dict[str, list[str]] = {}
        for service in self.services:
            ports.setdefault(service.server, []).append(str(service.port))
        return [f"{server}={','.join(numbers)}" for server, numbers in ports.items()]


def read_networks() -> dict[str, tuple[Host, ...]]:
    """Return the hosts of each network. Raises ValueError where servers and ports do not fit together."""
    table = yaml.safe_load((HERE / "networks.yml").read_text())
    return {
        network: tuple(_host(name, runs, table["servers"]) for name, runs in hosts.items())
        for network, hosts in table["networks"].items()
    }


def _host(name: str, runs: dict[str, list[int]], servers: dict[str, dict[str, list[list[str]]]]) -> Host:
    services = []
    for server, ports in runs.items():
        if len(ports) != len(servers[server]["products"]):
            raise ValueError(f"{name}: {server} listens on {len(servers[server]['products'])} ports")
        services += [
            Service(server, port, str(servers[server]["process"]), tuple(map(str, products)))
            for port, products in zip(ports, servers[server]["products"], strict=True)
        ]
    return Host(name, tuple(services))
