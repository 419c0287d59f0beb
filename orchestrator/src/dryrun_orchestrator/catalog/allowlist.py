"""The images that sessions may start, pinned by id, and what each is granted."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from dryrun_contract.fault_words import in_words
from dryrun_contract.ground_truth import Fact
from dryrun_contract.problem import Fault
from dryrun_contract.scan_choice import MAX_RATE
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.grants import grant_faults
from dryrun_orchestrator.catalog.log_patterns import read_log_patterns
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.truth_reader import read_ground_truth
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Node, tree_of
from dryrun_orchestrator.engine.protocol import Tmpfs
from dryrun_orchestrator.labels import Role

IMAGE_PREFIX = "discovery/test-"
"""Only images with this prefix can start (the record: allowed images whitelist)."""
COLLECTOR_PREFIX = "discovery/test-collector-"
STAND_IN = "discovery/test-stand-in:"
"""Prefix of images that stand for a host of an imported network; a digest follows."""

MAX_ALLOWLIST_BYTES = 4 * 1024 * 1024

_IMAGE_NAME = re.compile(r"discovery/test-[a-z0-9]+(?:-[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class AllowlistError(OperatorFileError):
    """The allowlist is invalid; `faults` lists all its problems."""


class ImageNotApprovedError(Exception):
    """No session may start this image: it is outside the prefix or not in the allowlist."""

    def __init__(self, image: str, rule: str, file: str, next_step: str) -> None:
        self.image = image
        self.rule = rule
        self.file = file
        self.next_step = next_step
        super().__init__(
            f"the image '{printable(image)}' is not approved: {rule} (allowlist {file}); {next_step}"
        )


@dataclass(frozen=True, slots=True)
class AllowedImage:
    """One image and everything that may vary between its containers."""

    name: str
    """E.g. `discovery/test-nginx:1.26`."""
    id: str
    """`sha256:` and 64 hex digits; containers are created by it."""
    environment: frozenset[str] = frozenset()
    """Keys that a template may set."""
    capabilities: tuple[str, ...] = ()
    """Added back after dropping all; without the prefix `CAP_`."""
    arguments: tuple[tuple[str, ...], ...] = ()
    """Argument lists that a manifest may choose instead of the image's command."""
    max_rate: int | None = None
    """Packets per second at most in place of `{rate}` in an argument; the guard enforces it."""
    stdin: bool = False
    """Whether it can be given what earlier collectors found on its standard input, while it waits."""
    tmpfs: Mapping[str, Tmpfs] = field(default_factory=dict)
    read_only: bool = True
    facts: Mapping[str, str] = field(default_factory=dict)
    """Facts read from the built image, e.g. `version`, which ground truth refers to."""
    ground_truth: tuple[Fact, ...] = ()
    """What a perfect collector would report; keys are relative to the service: `:5432/tcp/shop`."""
    log_patterns: Mapping[str, str] = field(default_factory=dict)
    """Name → regular expression that is searched in each log line; other patterns are not measured."""

    @property
    def role(self) -> Role:
        """`collector` for `discovery/test-collector-*`, `target` for every other."""
        return role_of(self.name)


@dataclass(frozen=True, slots=True)
class Allowlist:
    """All images that sessions may start."""

    file: str
    images: Mapping[str, AllowedImage]

    def image(self, name: str) -> AllowedImage:
        """Return the image with exactly this name. Raises ImageNotApprovedError."""
        if not name.startswith(IMAGE_PREFIX):
            raise ImageNotApprovedError(
                name,
                f"only images under {IMAGE_PREFIX} can be started",
                self.file,
                f"use an image under {IMAGE_PREFIX} that is in the allowlist",
            )
        if name not in self.images:
            # The name of a stand-in is a digest: what is near to it is another host.
            close = [] if name.startswith(STAND_IN) else difflib.get_close_matches(name, self.images, n=1)
            hint = f"did you mean {close[0]}? Otherwise " if close else ""
            raise ImageNotApprovedError(
                name,
                "it is not in the allowlist",
                self.file,
                f"{hint}{who_builds(name)}, or have an operator add it",
            )
        return self.images[name]


def who_builds(image: str) -> str:
    """Return the command that puts an image on the engine and into the allowlist, as a clause."""
    if image.startswith(STAND_IN):
        return "`dryrun-local network import`, of the network that it stands for, builds it"
    return "`dryrun-local images build` builds it"


def role_of(image: str) -> Role:
    """Return the role of an image, by its name."""
    return "collector" if image.startswith(COLLECTOR_PREFIX) else "target"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _TmpfsRow(_Part):
    size: int = Field(gt=0)
    uid: int = Field(default=0, ge=0, lt=2**31)
    gid: int = Field(default=0, ge=0, lt=2**31)
    mode: str = Field(default="0755", pattern=r"^[01]?[0-7]{3}$")


class _ImageRow(_Part):
    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    environment: tuple[Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]{0,99}$")], ...] = ()
    capabilities: tuple[str, ...] = ()
    arguments: tuple[tuple[str, ...], ...] = ()
    max_rate: int | None = Field(default=None, ge=1, le=MAX_RATE)
    stdin: bool = False
    read_only: bool = True
    tmpfs: dict[str, _TmpfsRow] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    ground_truth: tuple[JsonValue, ...] = ()
    log_patterns: dict[str, JsonValue] = Field(default_factory=dict)
    size: int = 0


class _File(_Part):
    version: Literal[1]
    images: dict[str, _ImageRow]


class _DuplicateKeyError(ValueError):
    pass


def load_allowlist(path: Path) -> Allowlist:
    """Read the allowlist, written by `dryrun-local images build` or by an operator.

    Raises AllowlistError with all problems: shape, names outside the prefix, invalid ids, and grants that
    no file may give.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_ALLOWLIST_BYTES + 1)
    except OSError as error:
        what = f"cannot be read: {error.strerror}; 'dryrun-local images build' writes it"
        raise AllowlistError(f"the allowlist {path}", [Fault(where=str(path), what=what)]) from error
    faults: list[Fault] = []
    parsed = _parse(raw, path, faults)
    images: dict[str, AllowedImage] = {}
    if parsed is not None:
        report = FaultList(str(path))
        root = Node({}, 0, report)
        above = Node({}, 0, report, "images", root)
        for name, row in parsed.images.items():
            faults.extend(_faults_of(name, row, path))
            images[name] = _allowed(name, row, Node({}, 0, report, name, above))
        faults.extend(report.faults)
    if faults or parsed is None:
        raise AllowlistError(f"the allowlist {path}", faults)
    return Allowlist(str(path), MappingProxyType(images))


def _parse(raw: bytes, path: Path, faults: list[Fault]) -> _File | None:
    if len(raw) > MAX_ALLOWLIST_BYTES:
        faults.append(Fault(where=str(path), what=f"is larger than {MAX_ALLOWLIST_BYTES // 1024} KiB"))
        return None
    try:
        json.loads(raw, object_pairs_hook=_without_duplicates)
    except _DuplicateKeyError as error:
        faults.append(Fault(where=str(path), what=str(error)))
    except (ValueError, RecursionError) as error:
        faults.append(Fault(where=str(path), what=f"is not JSON: {printable(str(error))}"))
        return None
    try:
        return _File.model_validate_json(raw)
    except ValidationError as error:
        faults.extend(
            Fault(where=_where(path, *problem["loc"]), what=in_words(problem))
            for problem in error.errors(include_url=False, include_input=False)
        )
        return None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise _DuplicateKeyError(f"keys occur twice in one object: {printable(', '.join(twice))}")
    return found


def _faults_of(name: str, row: _ImageRow, path: Path) -> Iterable[Fault]:
    where = _where(path, "images", name)
    if not name.startswith(IMAGE_PREFIX):
        yield Fault(where=where, what=f"is outside {IMAGE_PREFIX}, the only prefix that can be started")
        return
    if not _IMAGE_NAME.fullmatch(name):
        yield Fault(where=where, what=f"is not an image name of the form {IMAGE_PREFIX}NAME:TAG")
    yield from grant_faults(
        role_of(name),
        capabilities=row.capabilities,
        arguments=row.arguments,
        max_rate=row.max_rate,
        stdin=row.stdin,
        tmpfs_bytes={mount: tmpfs.size for mount, tmpfs in row.tmpfs.items()},
        where=f"{where}.",
    )


def _where(path: Path, *steps: str | int) -> str:
    return f"{path}: {'.'.join(printable(str(step), limit=80) for step in steps)}" if steps else str(path)


def _allowed(name: str, row: _ImageRow, place: Node) -> AllowedImage:
    truth = tree_of(row.ground_truth, place.report, step="ground_truth", parent=place)
    patterns = tree_of(row.log_patterns, place.report, step="log_patterns", parent=place)
    mounts = {
        mount: Tmpfs(size=tmpfs.size, mode=tmpfs.mode, uid=tmpfs.uid, gid=tmpfs.gid)
        for mount, tmpfs in row.tmpfs.items()
    }
    return AllowedImage(
        name=name,
        id=row.id,
        environment=frozenset(row.environment),
        capabilities=row.capabilities,
        arguments=row.arguments,
        max_rate=row.max_rate,
        stdin=row.stdin,
        tmpfs=MappingProxyType(mounts),
        read_only=row.read_only,
        facts=MappingProxyType(row.facts),
        ground_truth=read_ground_truth(truth, name, row.facts),
        log_patterns=read_log_patterns(patterns),
    )
