"""The allowlist: which images may run, each pinned to its ID, and what a client may choose for each."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from docker_guard.refusal import Refusal, shown
from docker_guard.rules import arguments
from docker_guard.rules.labels import Role
from docker_guard.rules.policy import ConfigurationError, Policy, faults
from docker_guard.rules.strict_json import unique

MAX_BYTES = 4 * 1024 * 1024
CAPABILITIES: Mapping[Role, frozenset[str]] = {
    "target": frozenset(
        {"CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT"}
    ),
    "collector": frozenset({"NET_RAW"}),
}
"""The most that a row can grant: no allowlist can give away the host."""
MAX_TMPFS_BYTES = 256 * 1024 * 1024
MAX_RATE = 1_000_000
"""Packets per second."""

_LONGEST_HEALTH_NANOSECONDS = 24 * 3600 * 10**9
_MOST_HEALTH_RETRIES = 1000
_TMPFS_PATH = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_NO_TMPFS = re.compile(r"/(?:proc|sys|dev(?!/shm$))(?:/|$)")
_TAGGED = re.compile(r"[a-z0-9]+(?:[-._/][a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TmpfsRow(_Row):
    """One tmpfs of an image; always noexec, nosuid, nodev. `size` is in bytes."""

    size: int = Field(gt=0, le=MAX_TMPFS_BYTES)
    uid: int = Field(default=0, ge=0, lt=2**31)
    gid: int = Field(default=0, ge=0, lt=2**31)
    mode: str = Field(default="0755", pattern=r"^[01]?[0-7]{3}$")


type Arguments = Annotated[
    tuple[Annotated[str, Field(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")], ...],
    Field(min_length=1, max_length=64),
]


class ImageRow(_Row):
    """One image. The guard ignores facts, ground truth, log patterns and size; others read them."""

    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    environment: tuple[Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]{0,99}$")], ...] = ()
    capabilities: tuple[str, ...] = ()
    read_only: bool = True
    tmpfs: dict[str, TmpfsRow] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    arguments: tuple[Arguments, ...] = ()
    """Argument lists; a client may choose one in place of the image's own command."""
    max_rate: int | None = Field(default=None, ge=1, le=MAX_RATE)
    """Packets per second: the most that may stand for `{rate}` in an argument."""
    stdin: bool = False
    """Whether a client may write to its standard input, which is a second way to give it configuration."""
    ground_truth: tuple[JsonValue, ...] = ()
    log_patterns: dict[str, JsonValue] = Field(default_factory=dict)
    size: int = 0


class AllowlistFile(_Row):
    """The allowlist as a whole."""

    version: Literal[1] = 1
    images: dict[str, ImageRow] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AllowedImage:
    """A name with its row."""

    name: str
    row: ImageRow
    role: Role


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Every image that may run."""

    images: Mapping[str, AllowedImage]

    def image(self, reference: str, policy: Policy) -> AllowedImage:
        """Return the image that an ID or a name means. Raises Refusal, never a 404: clients pull on 404."""
        identity = _ID.fullmatch(reference)
        if identity:
            wanted = f"sha256:{identity[1]}"
            for image in self.images.values():
                if image.row.id == wanted:
                    return image
            raise Refusal("image", f"the image {shown(reference)} is not in the allowlist")
        if not reference.startswith(policy.image_prefix):
            raise Refusal("image", f"the image {shown(reference)} is outside {policy.image_prefix}")
        if reference not in self.images:
            raise Refusal("image", f"the image {shown(reference)} is not in the allowlist; use NAME:TAG")
        return self.images[reference]


def load_allowlist(path: Path, policy: Policy, raw: bytes | None = None) -> Allowlist:
    """Parse the file. Raises ConfigurationError with all faults, grants above the ceilings included."""
    file = read_file(path, raw)
    problems = [fault for name, row in file.images.items() for fault in faults_of(name, row, policy)]
    ids = [row.id for row in file.images.values()]
    problems += [f"{identity}: pinned under two names" for identity in {i for i in ids if ids.count(i) > 1}]
    if problems:
        raise ConfigurationError(f"the allowlist {path}: {'; '.join(problems)}")
    return Allowlist(
        {name: AllowedImage(name, row, role_of(name, policy)) for name, row in file.images.items()}
    )


def read_bytes(path: Path) -> bytes:
    """Read the file. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"the allowlist {path}: {error.strerror or error}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"the allowlist {path} is larger than {MAX_BYTES} bytes")
    return raw


def read_file(path: Path, raw: bytes | None = None) -> AllowlistFile:
    """Return the rows unchecked, from `raw` when the file was read already.

    Raises ConfigurationError.
    """
    try:
        raw = read_bytes(path) if raw is None else raw
        json.loads(raw, object_pairs_hook=unique)
        return AllowlistFile.model_validate_json(raw)
    except ValidationError as error:
        raise ConfigurationError(f"the allowlist {path}: {faults(error)}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the allowlist {path}: {error}") from None


def write_file(path: Path, file: AllowlistFile) -> None:
    """Write the rows atomically: a reader sees the old file or the new one. Raises ConfigurationError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as out:
            out.write(json.dumps(file.model_dump(mode="json"), indent=2) + "\n")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def role_of(name: str, policy: Policy) -> Role:
    """Return the role of an image, which follows from its name."""
    return "collector" if name.startswith(policy.collector_prefix) else "target"


def faults_of(name: str, row: ImageRow, policy: Policy) -> Iterable[str]:
    """Yield the faults of a row."""
    where = shown(name)
    if not name.startswith(policy.image_prefix) or not _TAGGED.fullmatch(name):
        yield f"{where} does not have the form {policy.image_prefix}NAME:TAG"
    role = role_of(name, policy)
    for capability in set(row.capabilities) - CAPABILITIES[role]:
        yield f"{where}: {shown(capability)} cannot be granted to a {role}"
    for mount in row.tmpfs:
        if not _TMPFS_PATH.fullmatch(mount) or _NO_TMPFS.match(mount):
            yield f"{where}: {shown(mount)} cannot be a tmpfs"
    if row.arguments and role != "collector":
        yield f"{where}: only collectors can have arguments"
    if row.stdin and role != "collector":
        yield f"{where}: only collectors can have standard input"
    for listed in row.arguments:
        yield from (f"{where}: arguments: {fault}" for fault in arguments.faults_of(listed, row.max_rate))


def faults_of_image(config: Mapping[str, Any], policy: Policy) -> Iterable[str]:
    """Yield why an image, as the engine inspects it, may not run whatever the allowlist grants."""
    if config.get("Volumes"):
        yield "it declares VOLUME, and a volume outlives its container"
    health = config.get("Healthcheck") or {}
    floor = policy.health_seconds * 1e9
    # In nanoseconds; 0 is the engine's default. A loaded image may hold anything: the engine validates only
    # requests, and probes without a pause at a negative interval.
    for key, least in (("Interval", floor), ("StartInterval", floor), ("Timeout", 1), ("StartPeriod", 1)):
        value = health.get(key) or 0
        if type(value) is not int or not (value == 0 or least <= value <= _LONGEST_HEALTH_NANOSECONDS):
            yield f"its health check's {key} is not between {least / 1e9:g} s and a day"
    retries = health.get("Retries") or 0
    if type(retries) is not int or not 0 <= retries <= _MOST_HEALTH_RETRIES:
        yield f"its health check's Retries are not between 0 and {_MOST_HEALTH_RETRIES}"


class AllowlistReader:
    """The allowlist as the file has it now; while the file is faulty, nothing is allowed."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self._path = path
        self._policy = policy
        self._raw = read_bytes(path)
        self._allowlist = load_allowlist(path, policy, self._raw)

    def current(self) -> Allowlist:
        """Return the allowlist, parsed again when the file's content changed. Raises Refusal.

        Modification time and size do not suffice: a file may be rewritten within one tick of the clock, or
        its times set back.
        """
        try:
            raw = read_bytes(self._path)
            if raw != self._raw:
                self._allowlist = load_allowlist(self._path, self._policy, raw)
                self._raw = raw
        except ConfigurationError as error:
            raise Refusal("allowlist", f"the allowlist cannot be used: {error}") from None
        return self._allowlist
