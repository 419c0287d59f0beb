"""What the engine held before and after, and what a client learned that it should not know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine_socket import Answer
from guard_lab import Lab


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the engine held at a moment."""

    containers: dict[str, dict[str, Any]]
    networks: dict[str, dict[str, Any]]

    @classmethod
    def take(cls, lab: Lab) -> "Snapshot":
        return cls(
            {found["Id"]: found for found in lab.engine.containers()},
            {found["Id"]: found for found in lab.engine.networks()},
        )


def states(lab: Lab, snapshot: Snapshot) -> dict[str, Any]:
    """Return what must not change about the victims, the guest, and both sessions."""
    watched = {}
    for container in (*lab.victims, lab.facts["TARGET_ID"], lab.facts["OTHER_TARGET_ID"]):
        found = snapshot.containers.get(container)
        watched[container] = found and {
            "names": found["Names"],
            "state": found["State"],
            "labels": found["Labels"],
            "networks": {
                name: (at["NetworkID"], at["EndpointID"], at["IPAddress"])
                for name, at in found["NetworkSettings"]["Networks"].items()
            },
        }
    for network in (*lab.victim_networks, lab.facts["NETWORK_ID"], lab.facts["OTHER_NETWORK_ID"]):
        watched[network] = snapshot.networks.get(network)
    return watched


def details(lab: Lab) -> dict[str, Any]:
    """Return the victims' whole inspection, without what time alone changes."""
    watched = {}
    for container in (*lab.victims, lab.facts["TARGET_ID"], lab.facts["OTHER_TARGET_ID"]):
        status, found = lab.engine.call("GET", f"/containers/{container}/json")
        watched[container] = found if status == 200 else status
    return watched


def mine(lab: Lab, found: Mapping[str, Any]) -> bool:
    """Whether a listed container or network can be of this run: by its image, names, labels."""
    labels = found["Labels"] or {}
    images = {lab.facts[name] for name in ("IMAGE", "COLLECTOR", "OUTSIDE_ID")}
    names = [*found.get("Names", ()), found.get("Name", "")]
    values = [*labels.keys(), *labels.values(), *names]
    sessions = (lab.facts["SESSION"], lab.facts["OTHER_SESSION"], lab.facts["OWNER"], lab.nonce)
    return found.get("ImageID") in images or any(word in value for word in sessions for value in values)


def leaks(lab: Lab, sent: bytes, answer: Answer) -> Iterator[str]:
    """Yield which of the victims' words the client received and had not sent itself."""
    for secret in lab.secrets:
        if secret in answer.received and secret not in sent:
            yield f"the answer reveals {secret.decode()}"
