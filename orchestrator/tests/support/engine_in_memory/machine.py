"""What the fake engine does when it is asked: networks, containers and the events about them, in memory."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, ip_address

from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import (
    ConflictError,
    ImageMissingError,
    InUseByTaskError,
    NotFoundError,
    RejectedError,
    SubnetTakenError,
    TransientEngineError,
)
from dryrun_orchestrator.engine.label_match import carries
from dryrun_orchestrator.engine.protocol import (
    Container,
    ContainerSpec,
    EngineEvent,
    Network,
    NetworkSpec,
    Traffic,
)
from engine_in_memory.container import KILLED, FakeContainer, FakeImage

type Subscription = asyncio.Queue[EngineEvent | None]
"""None is the end of the connection."""


@dataclass(slots=True)
class FakeNetwork:
    """One network of the fake."""

    id: str
    spec: NetworkSpec
    refusals_left: int = 0
    """So many removals are still refused because of "active endpoints"."""


@dataclass(slots=True)
class FakeSwarm:
    """What machines have in common that are one swarm. The first ones are its managers."""

    overlays: dict[str, FakeNetwork] = field(default_factory=dict)
    managers: int = 1
    kept_tasks: set[str] = field(default_factory=set)
    """Names of overlays with a task of a container that went with its engine."""
    machines: "list[FakeMachine]" = field(default_factory=list)

    def is_used(self, network_id: str) -> bool:
        """Return whether a running container of any machine is on a network."""
        return any(machine.has_attached(network_id) for machine in self.machines)


class FakeMachine:
    """The machine that the fake engine runs on. It outlives its clients."""

    def __init__(self, images: dict[str, FakeImage], swarm: FakeSwarm | None = None) -> None:
        self.images = images
        self.swarm = swarm or FakeSwarm()
        self.swarm.machines.append(self)
        self.networks: dict[str, FakeNetwork] = {}
        self.containers: dict[str, FakeContainer] = {}
        self.removed: list[FakeContainer] = []
        self.subscriptions: list[Subscription] = []
        self.past_events: list[tuple[datetime, EngineEvent]] = []
        """What the engine remembers of its events."""
        self.refusals_after_removal = 0
        self.has_swarm = True
        """A manager without it answers with what is its own, and no error."""
        self.deadlines: dict[str, str] = {}
        """The first that was asked for each session id: the guard in front of an engine admits no other."""
        self._made = 0

    def create_network(self, spec: NetworkSpec) -> str:
        """Make a network; its name, bridge and subnet have to be free, its deadline the id's first."""
        session_id, expires_at = spec.labels.get(labels.SESSION_ID), spec.labels.get(labels.EXPIRES_AT)
        if session_id and expires_at and self.deadlines.setdefault(session_id, expires_at) != expires_at:
            raise RejectedError(f"session {session_id} already has a deadline; nothing prolongs it")
        if spec.reserved is not None:
            return self._create_overlay(spec)
        subnet = IPv4Network(spec.subnet)
        for other in self.networks.values():
            if other.spec.name == spec.name:
                raise ConflictError(f"network with name {spec.name} already exists")
            if IPv4Network(other.spec.subnet).overlaps(subnet):
                raise SubnetTakenError(
                    f"{spec.subnet} overlaps with {other.spec.subnet} of {other.spec.name}"
                )
            if other.spec.bridge == spec.bridge:
                raise ConflictError(f"networks {other.spec.name} and {spec.name} have same bridge name")
        network = FakeNetwork(self._new_id(), spec)
        self.networks[network.id] = network
        self._tell(EngineEvent("network", "create", network.id, {}))
        return network.id

    def _create_overlay(self, spec: NetworkSpec) -> str:
        if not self.is_manager:
            raise RejectedError("this node is not a swarm manager")
        if not self.has_swarm:
            raise TransientEngineError("rpc error: The swarm does not have a leader")
        network = FakeNetwork(hashlib.sha256(spec.name.encode()).hexdigest()[:25], spec)
        self.swarm.overlays[network.id] = network
        return network.id

    @property
    def is_manager(self) -> bool:
        """Whether it manages its swarm."""
        return self in self.swarm.machines[: self.swarm.managers]

    def has_attached(self, network_id: str) -> bool:
        """Return whether a running container is on a network."""
        return any(container.network_id == network_id for container in self.containers.values())

    def list_networks(self, label: str, *, overlays: bool) -> list[Network]:
        """Return the networks that carry the label; of overlays a worker knows those that it is on."""
        knows_all = self.is_manager and self.has_swarm
        if overlays and not knows_all:
            raise TransientEngineError("this engine's swarm has no leader")
        known = [each for each in self.swarm.overlays.values() if knows_all or self.has_attached(each.id)]
        return [
            Network(
                network.id,
                network.spec.name,
                network.spec.subnet,
                dict(network.spec.labels),
                is_overlay=network.spec.reserved is not None,
            )
            for network in (*(() if overlays else self.networks.values()), *known)
            if carries(network.spec.labels, label)
        ]

    def remove_network(self, network_id: str) -> None:
        """Remove a network that nothing running is attached to."""
        if network_id in self.swarm.overlays and self.has_swarm:
            if not self.is_manager:
                raise RejectedError("this node is not a swarm manager")
            name = self.swarm.overlays[network_id].spec.name
            if self.swarm.is_used(network_id) or name in self.swarm.kept_tasks:
                raise InUseByTaskError(f"network {network_id} is in use by task 1x")
            del self.swarm.overlays[network_id]
            return
        network = self.networks.get(network_id)
        if network is None:
            raise NotFoundError(f"network {network_id} not found")
        attached = any(container.network_id == network_id for container in self.containers.values())
        if attached or network.refusals_left > 0:
            network.refusals_left -= not attached
            raise ConflictError(f"network {network.spec.name} has active endpoints")
        self.drop_network(network)

    def drop_network(self, network: FakeNetwork) -> None:
        """Remove a network, whatever is attached."""
        del self.networks[network.id]
        self._tell(EngineEvent("network", "destroy", network.id, {}))

    def create_container(self, spec: ContainerSpec) -> str:
        """Make a container; its network need not exist before it starts."""
        image = self.images.get(spec.image_id)
        if image is None:
            raise ImageMissingError(
                f"no such image: {spec.image_name} ({spec.image_id}); images are never pulled"
            )
        if any(other.spec.name == spec.name for other in self.containers.values()):
            raise ConflictError(f"the container name {spec.name} is already in use")
        network = self._network_of(spec)
        if network is not None and ip_address(spec.address) not in IPv4Network(network.spec.subnet):
            raise RejectedError(f"no configured subnet contains the IP address {spec.address}")
        container = FakeContainer(self._new_id(), spec, image, self._tell_of_container)
        self.containers[container.id] = container
        self._tell_of_container(container, "create")
        return container.id

    def start_container(self, container_id: str) -> None:
        """Start a container on its network."""
        container = self.find_container(container_id)
        if container.is_running:
            return
        network = self._network_of(container.spec)
        if network is None:
            container.error = f"network {container.spec.network} not found"
            raise NotFoundError(container.error)
        if container.spec.address in self._addresses_taken(network):
            container.error = "Address already in use"
            raise ConflictError(container.error)
        self._tell(EngineEvent("network", "connect", network.id, {}))
        container.start(network.id)

    def send_input(self, container_id: str, data: bytes) -> None:
        """Write to a container's standard input. One that has ended takes it too, and nobody reads it."""
        container = self.find_container(container_id)
        if container.spec.stdin:
            container.take(data)

    def _addresses_taken(self, network: FakeNetwork) -> set[str]:
        gateway = str(next(IPv4Network(network.spec.subnet).hosts()))  # the engine keeps it, though unused
        return {gateway} | {
            container.spec.address
            for container in self.containers.values()
            if container.network_id == network.id
        }

    def list_containers(self, label: str) -> list[Container]:
        """Return the containers that carry the label."""
        return [
            container.listing()
            for container in self.containers.values()
            if carries(container.spec.labels, label)
        ]

    def read_traffic(self, container_id: str) -> Traffic | None:
        """Return the image's traffic while the container runs."""
        container = self.find_container(container_id)
        return container.image.traffic if container.is_running else None

    def kill(self, container: FakeContainer) -> None:
        """End a container because somebody asked for it."""
        self._tell_of_container(container, "kill")
        container.end(KILLED)

    def drop_container(self, container: FakeContainer) -> None:
        """Remove a container, running or not."""
        network = self.networks.get(container.network_id or "")
        if network is not None:
            network.refusals_left = self.refusals_after_removal
        container.end(KILLED)
        container.wake_readers()
        del self.containers[container.id]
        self.removed.append(container)
        self._tell_of_container(container, "destroy")

    def find_container(self, container_id: str) -> FakeContainer:
        """Return a container. Raises NotFoundError."""
        if container_id not in self.containers:
            raise NotFoundError(f"no such container: {container_id}")
        return self.containers[container_id]

    def _network_of(self, spec: ContainerSpec) -> FakeNetwork | None:
        for network in (*self.networks.values(), *self.swarm.overlays.values()):
            if spec.network in (network.spec.name, network.id):
                return network
        return None

    def _new_id(self) -> str:
        self._made += 1
        return hashlib.sha256(str(self._made).encode()).hexdigest()

    def _tell_of_container(self, container: FakeContainer, action: str) -> None:
        self._tell(EngineEvent("container", action, container.id, dict(container.spec.labels)))

    def _tell(self, event: EngineEvent) -> None:
        self.past_events.append((datetime.now(UTC), event))
        for queue in self.subscriptions:
            queue.put_nowait(event)
