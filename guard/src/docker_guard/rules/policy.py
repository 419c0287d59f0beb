"""The policy: ceilings, intervals and networks that an operator may set, with the design's defaults."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, field_validator

from docker_guard.refusal import shown
from docker_guard.rules.labels import Role
from docker_guard.rules.strict_json import unique

MIB = 1024 * 1024
LEAST_LOG_FILE_BYTES = 1_000_000
"""Smallest file of a container's log; rotating files of a few bytes costs the engine a whole CPU."""
LEAST_NANO_CPUS = 10_000_000
"""The kernel's least quota, 1 ms in 100 ms. Below a thousandth of it the engine rounds the quota to none: no
limit at all."""
type Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
type LogBytes = Annotated[int, Field(ge=LEAST_LOG_FILE_BYTES)]


def _network(given: object) -> IPv4Network | IPv6Network:
    """Return a network. Raises ValueError, also for one with host bits: it may be meant either way."""
    if not isinstance(given, str):
        raise ValueError('expected a network as a text, e.g. "10.214.0.0/16"')  # noqa: TRY004 - for Pydantic
    try:
        whole = (IPv6Network if ":" in given else IPv4Network)(given, strict=False)
    except ValueError as error:
        raise ValueError(f"{shown(given, 60)} is not a network: {error}") from None
    address = given.partition("/")[0]
    if str(whole.network_address) != str(ip_address(address)):
        raise ValueError(
            f"{given} has host bits set; write {whole} for the network or {address} for the one address"
        )
    return whole


def _network_of_ipv4(given: object) -> IPv4Network:
    network = _network(given)
    if not isinstance(network, IPv4Network):
        raise ValueError(f"{network} is not a network of IPv4")  # noqa: TRY004 - for Pydantic
    return network


type PoolNetwork = Annotated[IPv4Network, PlainValidator(_network_of_ipv4)]
type ClientNetwork = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]


class ConfigurationError(Exception):
    """An unusable policy, allowlist or address. The text names the place."""


class Policy(BaseModel):
    """Ceilings and intervals. Durations are in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_prefix: str = Field(default="discovery/test-", min_length=1)
    collector_prefix: str = Field(default="discovery/test-collector-", min_length=1)
    subnet_pool: PoolNetwork = IPv4Network("10.213.0.0/16")
    largest_subnet: int = Field(default=26, ge=20, le=30)
    """Prefix length of the largest subnet that a session may take from the pool."""

    makes_overlays: bool = False
    """Whether clients may create overlay networks here: on a fleet's manager, and nowhere else."""
    encrypted_overlays: bool = True
    """Whether overlays have to be encrypted. Without it, the network between the hosts has to be private."""

    session_seconds: int = Field(default=1800, gt=0, le=1800)
    targets: int = Field(default=20, gt=0)
    running_collectors: int = Field(default=2, gt=0)
    collectors: int = Field(default=20, gt=0)
    """Collectors of one session, running or not; `targets` likewise."""
    sessions: int = Field(default=10, gt=0)
    containers: int = Field(default=220, gt=0)
    """Containers of all sessions together."""

    memory_bytes: int = Field(default=512 * MIB, gt=0)
    nano_cpus: int = Field(default=500_000_000, ge=LEAST_NANO_CPUS)
    pids: int = Field(default=100, gt=0)
    log_bytes: Mapping[Role, LogBytes] = {"target": 10 * MIB, "collector": 128 * MIB}
    """All files of one container's log together, for both roles."""
    log_readers: int = Field(default=3, gt=0)
    """Concurrent readers of one container's log; for each, the engine may keep as much again on its disk."""
    seccomp: Literal["engine", "narrow"] = "engine"
    """The system calls of a container: as the engine sets them, or by `system_calls.narrow_profile`."""
    runtime: str = "runc"
    """The engine's runtime; a container with another one is not started."""
    health_seconds: Seconds = 0.1
    """The shortest interval of an image's health check; each probe is a process."""
    environment_value_bytes: int = Field(default=128 * 1024 - 1, gt=0)
    """The kernel's limit for one environment string, name and '=' included."""
    environment_bytes: int = Field(default=MIB, gt=0)
    """One container's whole environment, as the engine stores it on disk and in memory."""
    stop_seconds: int = Field(default=60, gt=0, le=600)

    body_bytes: int = Field(default=2 * MIB, gt=0)
    """A request's body, or a container's input on one connection; `body_seconds` likewise."""
    held_bytes: int = Field(default=32 * MIB, gt=0)
    """All requests and answers held in memory. A client (a user id or an address) gets at most half of what
    the others leave; the same holds for `connections` and `streams`."""
    connections: int = Field(default=384, gt=1)
    streams: int = Field(default=256, gt=1)
    """Long-lived answers: logs, wait, events."""
    head_seconds: Seconds = 10
    body_seconds: Seconds = 20
    idle_seconds: Seconds = 75
    stalled_seconds: Seconds = 60
    """How long a client may leave an answer unread."""
    behind_seconds: Seconds = 10
    """How long in total a client may read a long-lived answer at less than 256 KiB a second."""
    engine_seconds: Seconds = 60
    sweep_seconds: float = Field(default=2, gt=0, le=10, allow_inf_nan=False)
    """Between two sweeps for what is past its deadline: what the guard did not create, or what was created
    late, is removed within this time after its deadline."""
    calls_at_once: int | None = Field(default=None, gt=0)
    """Creations and starts that clients have under way at the engine, as many stops and removals, and as many
    lists; by default 8, or 4 for each processor if that is more."""
    removal_seconds: Seconds = 30
    """How long one attempt to remove something may take before it counts as failed."""

    user_ids: tuple[int, ...] | None = None
    """Who may connect to the Unix socket; by default the guard's own user and the members of its group."""
    group_ids: tuple[int, ...] | None = None
    client_networks: tuple[ClientNetwork, ...] = (
        IPv4Network("0.0.0.0/0"),
        IPv6Network("::/0"),
    )
    """Who may connect over TCP."""

    @field_validator("log_bytes")
    @classmethod
    def _has_both_roles(cls, value: Mapping[Role, int]) -> Mapping[Role, int]:
        if value.keys() != {"target", "collector"}:
            raise ValueError("give a ceiling for target and for collector")
        return value

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read a JSON or TOML file. Raises ConfigurationError that lists every fault."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".toml":
                text = json.dumps(tomllib.loads(text))
            else:
                json.loads(text, object_pairs_hook=unique)
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            raise ConfigurationError(f"the policy {path}: {faults(error, list(cls.model_fields))}") from None
        except OSError as error:
            raise ConfigurationError(f"the policy {path}: {error.strerror or error}") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigurationError(f"the policy {path}: {error}") from None


def faults(error: ValidationError, known: Sequence[str] = ()) -> str:
    """Return where a document is wrong, without its values: they may be secret.

    `known`: the names of its fields, to say which of them a wrong name may mean.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = []
    for each in found[:10]:
        what = each["msg"].removeprefix("Value error, ")
        if known and each["type"] == "extra_forbidden" and len(each["loc"]) == 1:
            close = get_close_matches(str(each["loc"][0]), known, n=1)
            what = "there is no such field" + (f"; did you mean {close[0]}?" if close else "")
        places.append(f"{shown('.'.join(map(str, each['loc'])), 120)}: {what}")
    return "; ".join(places)
