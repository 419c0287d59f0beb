"""The targets of a session as the engine got them, to be made again by somebody else."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from random import choice
from secrets import token_hex
from typing import Any

import docker

from dryrun_orchestrator import labels

LABEL = "discovery.bench.contestant"
POOL = IPv4Network("10.213.112.0/20")
"""A piece of the pool of sessions that they reach last, so that nobody takes the subnet in between."""


@dataclass(frozen=True)
class Bodies:
    """What `POST /networks/create` and `POST /containers/create` are to be sent, the latter by service."""

    label: str
    """The one label of everything: neither an orchestrator nor a guard takes it for a session's."""
    network: dict[str, Any]
    containers: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """The network's name."""
        return str(self.network["Name"])


def read_bodies(session_id: str) -> Bodies:
    """Read a running session's network and targets from the engine, under other names and labels."""
    client = docker.from_env(timeout=60)
    try:
        mine = {"label": f"{labels.SESSION_ID}={session_id}"}
        (network,) = client.networks.list(filters=mine)
        targets = [
            each.attrs
            for each in client.containers.list(all=True, filters=mine)
            if each.labels.get(labels.ROLE) == "target"
        ]
    finally:
        client.close()
    digits = token_hex(6)
    name, label = f"dryrun-bench-{digits}", {LABEL: digits}
    old = IPv4Network(network.attrs["IPAM"]["Config"][0]["Subnet"])
    new = choice(list(POOL.subnets(new_prefix=old.prefixlen)))
    return Bodies(
        f"{LABEL}={digits}",
        _network_body(network.attrs, name, label, f"dr-{digits}", new),
        {
            each["Config"]["Labels"][labels.SERVICE]: _container_body(each, name, label, (old, new))
            for each in targets
        },
    )


def _network_body(
    attrs: dict[str, Any], name: str, label: dict[str, str], bridge: str, subnet: IPv4Network
) -> dict[str, Any]:
    options = attrs["Options"] | {"com.docker.network.bridge.name": bridge}
    kept = {key: attrs[key] for key in ("Driver", "Internal", "EnableIPv6", "Attachable")}
    addresses = {"Driver": "default", "Config": [{"Subnet": str(subnet)}]}
    return {"Name": name, "Labels": label, "Options": options, "IPAM": addresses, **kept}


def _container_body(
    attrs: dict[str, Any], network: str, label: dict[str, str], moved: tuple[IPv4Network, IPv4Network]
) -> dict[str, Any]:
    config, (endpoint,) = attrs["Config"], attrs["NetworkSettings"]["Networks"].values()
    old, new = moved
    place = int(IPv4Address(endpoint["IPAMConfig"]["IPv4Address"])) - int(old.network_address)
    return {
        **{key: config[key] for key in ("Image", "Cmd", "Env")},
        "Labels": label,
        "HostConfig": attrs["HostConfig"] | {"NetworkMode": network},
        "NetworkingConfig": {
            "EndpointsConfig": {
                network: {
                    "IPAMConfig": {"IPv4Address": str(new[place])},
                    "Aliases": [config["Labels"][labels.SERVICE]],
                }
            }
        },
    }
