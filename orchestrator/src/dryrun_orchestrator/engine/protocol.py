"""The fifteen engine calls that the orchestrator makes, and no others.

Nothing here can pull, build, load, tag or delete an image, run a command inside a container, kill one,
or touch a volume: what is not in this protocol, the orchestrator cannot do by accident.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol


class EngineError(Exception):
    """An engine call failed.

    EngineError
      TransientEngineError     may heal by itself: try again
        EngineUnreachableError   no answer: engine or proxy down, deadline passed, connection cut
      PermanentEngineError     will not heal by itself
        NotFoundError            no such container or network (404)
        ImageMissingError        no such image on this engine (404 on create); it is never pulled
        ConflictError            name taken, or state does not allow it (409)
        SubnetTakenError         the subnet overlaps with another network of the engine
        ForbiddenError           a proxy in front of the engine refused the call (403); names the call
        RejectedError            the engine refused the request (400) or answered what it should not
    """


class TransientEngineError(EngineError):
    """The same call may succeed later."""


class EngineUnreachableError(TransientEngineError):
    """No answer, or the connection was cut midway."""


class PermanentEngineError(EngineError):
    """The same call will fail again."""


class NotFoundError(PermanentEngineError):
    """No such container or network."""


class ImageMissingError(PermanentEngineError):
    """The image is not on this engine. It is never pulled; an operator builds or loads it."""


class ConflictError(PermanentEngineError):
    """The name is taken, or the object's state does not allow the call."""


class SubnetTakenError(PermanentEngineError):
    """The subnet overlaps with another network of this engine."""


class ForbiddenError(PermanentEngineError):
    """A proxy in front of the engine refused this call; the text names method and path."""


class RejectedError(PermanentEngineError):
    """The engine refused the request as wrong."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """An internal network with its own bridge and no address of the host in it."""

    name: str
    bridge: str
    subnet: str
    """CIDR, e.g. `10.213.0.0/27`."""
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Network:
    """A network as a listing shows it."""

    id: str
    name: str
    subnet: str | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A tmpfs mount, always `noexec,nosuid,nodev`. `size` is in bytes."""

    size: int
    mode: str = "0755"
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Per container; the record's figures are the ceilings."""

    memory_bytes: int = 512 * 1024 * 1024
    nano_cpus: int = 500_000_000
    pids: int = 100
    log_bytes: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """All that varies from container to container; isolation is the adapter's and does not vary."""

    name: str
    image_id: str
    """`sha256:…`; containers are created by it, so that a re-tag changes nothing."""
    image_name: str
    """For error texts only."""
    network: str
    """Name or id of the session's network."""
    address: str
    aliases: tuple[str, ...]
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May hold secrets: it stands in no log, no error and no `repr`."""
    arguments: tuple[str, ...] = ()
    """Instead of the image's own command; nothing leaves that in force."""
    capabilities: tuple[str, ...] = ()
    read_only: bool = True
    tmpfs: Mapping[str, Tmpfs] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


type ContainerStatus = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
type Health = Literal["none", "starting", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Container:
    """A container as a listing shows it."""

    id: str
    name: str
    status: ContainerStatus
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContainerDetail:
    """A container as an inspection shows it."""

    id: str
    name: str
    status: ContainerStatus
    health: Health
    """`none` when the image has no health check."""
    exit_code: int | None
    """None until it has ended."""
    out_of_memory: bool
    error: str
    address: str | None
    labels: Mapping[str, str]
    on_network: bool
    """Whether it has an interface there now; `address` says what it was to have."""
    started_at: datetime | None = None
    """By the engine's clock, as the times in its logs are; None until it was started."""
    ended_at: datetime | None = None
    """None until it has ended."""
    failed_check: str = ""
    """What the last health check said, if it failed."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counters of a container's network interfaces since its start, as the engine tells them."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Bytes of one stream of a container's log, in order. Lines may be cut anywhere."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a container or a network. It only wakes a loop, it proves nothing."""

    kind: Literal["container", "network"]
    action: str
    """E.g. `start`, `die`, `oom`, `health_status: healthy`, `destroy`."""
    id: str
    labels: Mapping[str, str]
    """Empty for networks: the engine does not tell them."""


class Engine(Protocol):
    """The engine, behind whatever proxy. Every call has a deadline and raises only EngineError."""

    async def ping(self) -> None:
        """Return when the engine answers. Raises EngineUnreachableError."""

    async def version(self) -> str:
        """Return the engine's version, e.g. `26.1.5`."""

    async def create_network(self, spec: NetworkSpec) -> str:
        """Create the network and return its id. Raises ConflictError, SubnetTakenError."""

    async def list_networks(self, label: str) -> list[Network]:
        """List networks that carry `label` (`key` or `key=value`, the value compared as a whole)."""

    async def remove_network(self, network_id: str) -> None:
        """Remove it. Raises NotFoundError, ConflictError (active endpoints: try again)."""

    async def create_container(self, spec: ContainerSpec) -> str:
        """Create it and return its id. Raises ImageMissingError, ConflictError."""

    async def start_container(self, container_id: str) -> None:
        """Start it; one that runs stays as it is. Raises NotFoundError."""

    async def list_containers(self, label: str) -> list[Container]:
        """List containers in any state that carry `label` (`key` or `key=value`)."""

    async def inspect_container(self, container_id: str) -> ContainerDetail:
        """Inspect it. Raises NotFoundError."""

    async def stop_container(self, container_id: str, grace: timedelta) -> None:
        """Ask it to stop, return when it has; after `grace` the engine ends it. Raises NotFoundError."""

    async def remove_container(self, container_id: str) -> None:
        """Remove it with its anonymous volumes, running or not. Raises NotFoundError."""

    async def read_traffic(self, container_id: str) -> Traffic | None:
        """Read its counters once; None for one that does not run."""

    def read_log(
        self, container_id: str, *, follow: bool, since: datetime | None = None
    ) -> AsyncGenerator[LogChunk]:
        """Read its log from the start; with `follow` until it ends. Close the generator when you leave early.

        With `since`, only what was written from then on, each entry behind its time in RFC 3339 and a blank.

        A connection that ends early is indistinguishable from the end in HTTP terms only sometimes:
        one that breaks raises EngineUnreachableError, so callers verify against `inspect_container`.
        """

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[EngineEvent]]:
        """Subscribe; inside the context everything that happens from now on is told.

        The iterator raises EngineUnreachableError when the connection ends: subscribe, then list again.
        """

    async def past_actions(self, container_id: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return what the engine did to a container between two moments of its clock, e.g. `kill`, `die`.

        It remembers little (256 events of all things) and nothing from before its own start. `until` in the
        future is waited for.
        """

    async def close(self) -> None:
        """Close all connections."""
