"""The fifteen engine calls that the orchestrator makes, and no others.

None of them can pull, build, load, tag or delete an image, run a command inside a container, kill one, or
touch a volume: the orchestrator cannot do by accident what is not in this protocol.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """An internal network that no host is on: a bridge, or an overlay across hosts."""

    name: str
    bridge: str
    subnet: str
    """CIDR, e.g. `10.213.0.0/27`."""
    labels: Mapping[str, str]
    reserved: str | None = None
    """For an overlay: the half of its subnet in which engines find addresses for themselves."""
    encrypted: bool = False
    """For an overlay: whether what crosses hosts is encrypted."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network in a listing."""

    id: str
    name: str
    subnet: str | None
    labels: Mapping[str, str]
    is_overlay: bool = False


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A tmpfs mount, always `noexec,nosuid,nodev`. `size` is in bytes."""

    size: int
    mode: str = "0755"
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Per container; the defaults are the record's maximum."""

    memory_bytes: int = 512 * 1024 * 1024
    nano_cpus: int = 500_000_000
    pids: int = 100
    log_bytes: int = 10 * 1024 * 1024
    """All files of the log together."""
    log_files: int = 1
    """One for a container that is followed: a follower silently loses lines of a rotating log. Of two, the
    full one stays when the engine begins another, so a log that lost lines is never a short one."""

    @property
    def log_file_bytes(self) -> int:
        """Return how long one file of the log may be."""
        return self.log_bytes // self.log_files


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that varies between containers; the adapter sets the isolation, which does not vary."""

    name: str
    image_id: str
    """`sha256:…`; containers are created by id, so that moving a tag has no effect."""
    image_name: str
    """The image's name, for error messages only."""
    network: str
    """Name or id of the session's network."""
    address: str
    aliases: tuple[str, ...]
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """May contain secrets: never in a log, an error or a `repr`."""
    arguments: tuple[str, ...] = ()
    """Replaces the image's command; empty keeps it."""
    stdin: bool = False
    """Whether its standard input can be written, by `send_input`."""
    capabilities: tuple[str, ...] = ()
    read_only: bool = True
    tmpfs: Mapping[str, Tmpfs] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


type ContainerStatus = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
type Health = Literal["none", "starting", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Container:
    """A container in a listing."""

    id: str
    name: str
    status: ContainerStatus
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContainerDetail:
    """An inspected container."""

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
    """Whether it has an interface now; `address` is the configured one."""
    started_at: datetime | None = None
    """By the engine's clock, like timestamps in logs; None until it was started."""
    ended_at: datetime | None = None
    """None until it has ended."""
    takes_input: bool = False
    """Whether its standard input is open, for `send_input`."""
    failed_check: str = ""
    """Output of the last health check, if it failed."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counters of a container's network interfaces since its start."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Bytes of one stream of a container's log, in order, split anywhere."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a container or a network. It only wakes a loop and proves nothing."""

    kind: Literal["container", "network"]
    action: str
    """E.g. `start`, `die`, `oom`, `health_status: healthy`, `destroy`."""
    id: str
    labels: Mapping[str, str]
    """Empty for networks: the engine does not report them."""


class Engine(Protocol):
    """The engine, possibly behind a proxy. Every call has a deadline and raises only EngineError."""

    async def ping(self) -> int | None:
        """Return when the engine answers: bytes of memory that its host can still give, if its guard says so.

        Raises EngineUnreachableError.
        """

    async def version(self) -> str:
        """Return the engine's version, e.g. `26.1.5`."""

    async def create_network(self, spec: NetworkSpec) -> str:
        """Create the network and return its id. Raises ConflictError, SubnetTakenError.

        An engine goes on when its client goes. So a create that is cancelled ends only when the engine has
        answered, or did not for 5 s: then it can be listed and removed, or a reaper has to find it later.
        """

    async def list_networks(self, label: str, *, overlays: bool = False) -> list[Network]:
        """List networks with `label` (`key` or `key=value`, compared exactly).

        `overlays`: only those, at a manager. Raises TransientEngineError when its swarm cannot be asked; the
        plain list then has what is the engine's own.
        """

    async def remove_network(self, network_id: str) -> None:
        """Remove it. Raises NotFoundError, ConflictError (active endpoints: try again)."""

    async def create_container(self, spec: ContainerSpec) -> str:
        """Create it and return its id, as `create_network` does when it is cancelled.

        Raises ImageMissingError, ImageNotAllowedError, ConflictError.
        """

    async def start_container(self, container_id: str) -> None:
        """Start it; no effect when it runs. Raises NotFoundError."""

    async def send_input(self, container_id: str, data: bytes) -> None:
        """Write to its standard input, which stays open. What was sent may be lost: have it confirmed.

        Raises NotFoundError, ConflictError (it does not run), ForbiddenError.
        """

    async def list_containers(self, label: str) -> list[Container]:
        """List containers in any state with `label` (`key` or `key=value`)."""

    async def inspect_container(self, container_id: str) -> ContainerDetail:
        """Inspect it. Raises NotFoundError."""

    async def remove_container(self, container_id: str) -> None:
        """Remove it with its anonymous volumes, running or not. Raises NotFoundError."""

    async def read_traffic(self, container_id: str) -> Traffic | None:
        """Read its counters once; None when it does not run."""

    def read_log(
        self, container_id: str, *, follow: bool, since: datetime | None = None
    ) -> AsyncGenerator[LogChunk]:
        """Read its log from the start; with `follow`, until it ends. Close the generator when leaving early.

        With `since`, only later entries, each after its RFC 3339 timestamp and a space.

        A broken connection raises EngineUnreachableError, but one that ends early may look like the end of
        the log: callers verify with `inspect_container`.
        Raises NotFoundError, also once the container's removal has begun, which `inspect_container` still
        shows as running or removing.
        """

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[EngineEvent]]:
        """Subscribe; the iterator yields every change of a state after entering the context.

        The iterator raises EngineUnreachableError when the connection ends: subscribe, then list again.
        """

    async def past_actions(self, container_id: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return the engine's actions on a container between two times of its clock, e.g. `kill`, `die`.

        It remembers 256 events in all, and none from before its own start. A time `until` in the future is
        waited for.
        """

    async def close(self) -> None:
        """Close all connections."""
