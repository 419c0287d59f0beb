"""The targets of a session as the engine got them, to be made again by somebody else."""

from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import docker

from dryrun_orchestrator import labels

LABEL = "discovery.bench.contestant"


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
    return Bodies(
        f"{LABEL}={digits}",
        _network_body(network.attrs, name, label, f"dr-{digits}"),
        {each["Config"]["Labels"][labels.SERVICE]: _container_body(each, name, label) for each in targets},
    )


def _network_body(attrs: dict[str, Any], name: str, label: dict[str, str], bridge: str) -> dict[str, Any]:
    options = attrs["Options"] | {"com.docker.network.bridge.name": bridge}
    kept = {key: attrs[key] for key in ("Driver", "Internal", "EnableIPv6", "Attachable", "IPAM")}
    return {"Name": name, "Labels": label, "Options": options, **kept}


def _container_body(attrs: dict[str, Any], network: str, label: dict[str, str]) -> dict[str, Any]:
    config, (endpoint,) = attrs["Config"], attrs["NetworkSettings"]["Networks"].values()
    return {
        **{key: config[key] for key in ("Image", "Cmd", "Env")},
        "Labels": label,
        "HostConfig": attrs["HostConfig"] | {"NetworkMode": network},
        "NetworkingConfig": {
            "EndpointsConfig": {
                network: {
                    "IPAMConfig": endpoint["IPAMConfig"],
                    "Aliases": [config["Labels"][labels.SERVICE]],
                }
            }
        },
    }
