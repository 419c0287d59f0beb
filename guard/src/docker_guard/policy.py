"""The numbers an operator may set; every default is the design's."""

import json
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from docker_guard.labels import Role
from docker_guard.refusal import shown

MIB = 1024 * 1024


class ConfigurationError(Exception):
    """A policy, an allowlist or an address that cannot be used. The text names the place."""


class Policy(BaseModel):
    """Ceilings and intervals. Durations are in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_prefix: str = Field(default="discovery/test-", min_length=1)
    collector_prefix: str = Field(default="discovery/test-collector-", min_length=1)
    subnet_pool: IPv4Network = IPv4Network("10.213.0.0/16")
    largest_subnet: int = Field(default=26, ge=8, le=30)
    """Prefix length of the largest subnet that a session may take from the pool."""

    session_seconds: int = Field(default=1800, gt=0, le=1800)
    targets: int = Field(default=20, gt=0)
    running_collectors: int = Field(default=2, gt=0)
    collectors: int = Field(default=20, gt=0)
    """Of one session, running or not."""
    sessions: int = Field(default=10, gt=0)
    containers: int = Field(default=220, gt=0)
    """Of all sessions together."""

    memory_bytes: int = Field(default=512 * MIB, gt=0)
    nano_cpus: int = Field(default=500_000_000, gt=0)
    pids: int = Field(default=100, gt=0)
    log_bytes: dict[Role, int] = {"target": 10 * MIB, "collector": 128 * MIB}
    """All files of one container's log together."""
    runtime: str = "runc"
    """What the engine runs containers with; one of another runtime is not started."""
    health_seconds: float = Field(default=0.1, gt=0)
    """The shortest interval of an image's health check; each probe is a process."""
    environment_value_bytes: int = Field(default=128 * 1024 - 1, gt=0)
    """The kernel's limit for one string of an environment, name and '=' included."""
    stop_seconds: int = Field(default=60, gt=0)

    body_bytes: int = Field(default=2 * MIB, gt=0)
    held_bytes: int = Field(default=32 * MIB, gt=0)
    """Of all requests and answers that are held whole; a client, which is a user id or an address, gets at
    most half of what the others leave. So it is with the next two."""
    connections: int = Field(default=384, gt=1)
    streams: int = Field(default=256, gt=1)
    """Answers that last: logs, waiting, events."""
    head_seconds: float = Field(default=10, gt=0)
    body_seconds: float = Field(default=20, gt=0)
    idle_seconds: float = Field(default=75, gt=0)
    stalled_seconds: float = Field(default=60, gt=0)
    """How long a client may leave an answer unread."""
    engine_seconds: float = Field(default=60, gt=0)
    sweep_seconds: float = Field(default=5, gt=0)
    """Between two looks at what is past its deadline."""
    removal_seconds: float = Field(default=30, gt=0)
    """How long one try to remove something may take before it counts as failed."""

    user_ids: tuple[int, ...] | None = None
    """Who may connect to the Unix socket; by default the guard's own user, and its group's members."""
    group_ids: tuple[int, ...] | None = None
    client_networks: tuple[IPv4Network | IPv6Network, ...] = (
        IPv4Network("0.0.0.0/0"),
        IPv6Network("::/0"),
    )
    """Who may connect over TCP."""

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read a JSON or TOML file. Raises ConfigurationError with every fault in it."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
            values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(f"the policy {path}: {faults(error)}") from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the policy {path}: {error}") from None


def faults(error: ValidationError) -> str:
    """Say where a document is wrong, without its values: they may be secret."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = [f"{shown('.'.join(map(str, each['loc'])), 120)}: {each['msg']}" for each in found[:10]]
    return "; ".join(places)
