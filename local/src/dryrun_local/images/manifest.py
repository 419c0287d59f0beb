"""One `image.yml`: what its folder builds, on what, and what a session may choose for it."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from dryrun_contract.fault_words import in_words
from dryrun_contract.scan_choice import MAX_RATE
from dryrun_orchestrator.catalog.allowlist import IMAGE_PREFIX
from dryrun_orchestrator.catalog.log_patterns import read_log_patterns
from dryrun_orchestrator.catalog.truth_reader import read_ground_truth
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList

# libyaml's loader is as safe, and takes an eighth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_CAPABILITY = r"^[A-Z][A-Z0-9_]{1,40}$"
_ENVIRONMENT_KEY = r"^[A-Z_][A-Z0-9_]{0,99}$"

_EXAMPLES: Mapping[str, str] = {
    "image": "image: discovery/test-web:1.0",
    "summary": "summary: A web server with three pages.",
    "from": "from: servers",
    "python": "python: {requirements: requirements/image-web.txt, packages: [contract]}",
    "environment": "environment: [BANNER]",
    "capabilities": "capabilities: [SETUID, SETGID]",
    "arguments": 'arguments: [["-oX", "-", "{cidr}"]]',
    "max_rate": "max_rate: 5000",
    "tmpfs": 'tmpfs: {/run: {size: 2m, uid: 33, gid: 33, mode: "0755"}}',
    "facts": 'facts: {version: "nginx -v 2>&1 | sed s,.*/,,"}',
    "ground_truth": 'ground_truth: [{kind: host, key: ""}]',
    "not_services": 'not_services: {":3401/udp": asks name servers from here}',
    "log_patterns": "log_patterns: {errors: '\\[error\\]'}",
}
"""What a value of the key looks like, for errors."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def size_in_bytes(value: str) -> int:
    """Return a size such as `16m` in bytes. Raises ValueError."""
    found = re.fullmatch(r"([0-9]+)([kmg]?)", value.lower())
    if found is None:
        raise ValueError(f"{value!r} is not a size; write a number with k, m or g, e.g. 16m")
    return int(found[1]) * _UNITS[found[2]]


def _bytes(value: object) -> object:
    return size_in_bytes(value) if isinstance(value, str) else value


class Tmpfs(_Part):
    """A writable mount in memory; always noexec, nosuid, nodev. `size` in bytes."""

    size: Annotated[int, BeforeValidator(_bytes), Field(gt=0)]
    uid: int = Field(default=0, ge=0, lt=2**31)
    gid: int = Field(default=0, ge=0, lt=2**31)
    mode: str = Field(default="1777", pattern=r"^[01]?[0-7]{3}$")


class PythonParts(_Part):
    """Python packages that the builder installs before the build and passes as the build context `wheels`."""

    requirements: str | None = None
    """Path of a requirements file with hashes, relative to the repository."""
    packages: tuple[str, ...] = ()
    """Folders of workspace packages whose sources are copied, e.g. `contract`."""


class Manifest(_Part):
    """One `image.yml`."""

    image: str = Field(pattern=r"^discovery/[a-z0-9]+(?:-[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
    summary: str = Field(min_length=1, max_length=300)
    parents: tuple[str, ...] = Field(default=(), alias="from")
    python: PythonParts | None = None
    environment: tuple[Annotated[str, Field(pattern=_ENVIRONMENT_KEY)], ...] = ()
    capabilities: tuple[Annotated[str, Field(pattern=_CAPABILITY)], ...] = ()
    arguments: tuple[tuple[str, ...], ...] = ()
    """Argument lists that a collector manifest may choose from; for collectors only."""
    max_rate: int | None = Field(default=None, ge=1, le=MAX_RATE, strict=True)
    """Packets per second at most in place of `{rate}` in an argument."""
    stdin: bool = False
    """Whether it takes what earlier collectors found on standard input; for collectors only."""
    read_only: bool = True
    read_only_reason: str | None = None
    tmpfs: dict[Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")], Tmpfs] = Field(default_factory=dict)
    facts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], str] = Field(default_factory=dict)
    ground_truth: tuple[Any, ...] = ()
    """What a perfect collector would report, as in a template's `x-ground-truth`."""
    not_services: dict[
        Annotated[str, Field(pattern=r"^:[0-9]{1,5}(-[0-9]{1,5})?/(tcp|udp)$")],
        Annotated[str, Field(min_length=1)],
    ] = Field(default_factory=dict)
    """Port, or first and last → why what is bound there is no service; for the check of the ground truth."""
    log_patterns: dict[str, Any] = Field(default_factory=dict)
    """Name → regular expression to search each log line for."""

    @field_validator("parents", mode="before")
    @classmethod
    def _one_parent_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _a_writable_root_needs_a_reason(self) -> Self:
        if not self.read_only and not self.read_only_reason:
            raise ValueError("read_only is false; give the reason in read_only_reason")
        return self

    @property
    def allowlisted(self) -> bool:
        """Whether a session may start the image; the others are build parents only."""
        return self.image.startswith(IMAGE_PREFIX)


def read_manifest(path: Path, where: str, problems: list[str]) -> Manifest | None:
    """Return the manifest in `path`; None, with `problems`, if it is invalid. `where` is its name in them."""
    manifest, found = _parsed(path.read_bytes(), where)
    problems.extend(found)
    return manifest


@cache
def _parsed(raw: bytes, where: str) -> tuple[Manifest | None, tuple[str, ...]]:
    """Return a manifest and its problems. One command asks for the same files up to five times."""
    problems: list[str] = []
    return _validated(raw, where, problems), tuple(problems)


def _validated(raw: bytes, where: str, problems: list[str]) -> Manifest | None:
    try:
        content: Any = yaml.load(raw.decode(), Loader=_LOADER)  # noqa: S506  # both are safe loaders
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{where}: not YAML: {' '.join(str(error).split())}")
        return None
    if isinstance(content, dict) and not content.keys().isdisjoint({"ground_truth", "log_patterns"}):
        problems.extend(_problems_of_truth(raw, content, where))
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            place = ".".join(map(str, problem["loc"])) or "the document"
            problems.append(f"{where}: {place}: {_reason(problem)}")
        return None


def _reason(problem: Mapping[str, Any]) -> str:
    """Return what pydantic found, without the names of classes, and an example where the shape is wrong."""
    kind = str(problem["type"])
    if kind == "extra_forbidden":
        return f"is not a key of image.yml; known here are {', '.join(_keys_at(problem['loc']))}"
    if kind == "missing":
        return f"is missing{_example(problem['loc'])}"
    if kind in {"model_type", "dict_type", "tuple_type", "int_type", "string_type", "model_attributes_type"}:
        shape = {"tuple_type": "a list", "int_type": "a whole number", "string_type": "a text"}
        return f"is not {shape.get(kind, 'a map of keys to values')}{_example(problem['loc'])}"
    return in_words(problem)


def _keys_at(place: tuple[str | int, ...]) -> list[str]:
    part: type[BaseModel] = Manifest
    if len(place) > 1:
        part = Tmpfs if place[0] == "tmpfs" else PythonParts
    return [field.alias or name for name, field in part.model_fields.items()]


def _example(place: tuple[str | int, ...]) -> str:
    example = _EXAMPLES.get(str(place[0])) if place else None
    return f"; for example  {example}" if example else ""


def _problems_of_truth(raw: bytes, content: Mapping[str, Any], where: str) -> Iterable[str]:
    """Yield what the orchestrator would refuse in the allowlist, here with the line numbers of the file."""
    report = FaultList(where)
    document = read_yaml(raw, report)
    entries = {} if document is None else document.entries()
    facts = content.get("facts")
    if "ground_truth" in entries:
        names = dict.fromkeys(map(str, facts), "") if isinstance(facts, dict) else {}
        read_ground_truth(entries["ground_truth"], str(content.get("image")), names)
    if "log_patterns" in entries:
        read_log_patterns(entries["log_patterns"])
    return (f"{fault.where}: {fault.what}" for fault in report.faults)
