"""Which collectors exist, what each needs and provides, and in which order they run."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import cast

from dryrun_contract.collector_config import CONFIG_KEYS, Profile
from dryrun_contract.discovery import KINDS
from dryrun_contract.problem import Fault
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist, ImageNotApprovedError
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import Node, Report, shown

MAX_TIMEOUT_SECONDS = 1500
"""Leaves five of a session's thirty minutes to building and removing its network."""

_KEYS = {
    "name": True,
    "image": True,
    "summary": True,
    "provides": True,
    "needs": False,
    "timeout_seconds": True,
    "profile": False,
}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class CollectorManifestsError(OperatorFileError):
    """The collector manifests cannot be used; `faults` holds all problems of all files."""


class CollectorOrderError(ValueError):
    """These collectors cannot all run: a need that none of them provides, or a circle; `problems` has all."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class CollectorManifest:
    """One collector as an operator installed it."""

    name: str
    image: AllowedImage
    summary: str
    provides: frozenset[str]
    """Kinds it discovers."""
    needs: frozenset[str]
    """Kinds it wants to be told from earlier collectors."""
    timeout_seconds: int
    profile: Profile


@dataclass(frozen=True, slots=True)
class CollectorManifests:
    """All collectors that are installed. Their needs are known to be met."""

    by_name: Mapping[str, CollectorManifest]

    def in_order(self, names: Collection[str] | None = None) -> tuple[CollectorManifest, ...]:
        """Return the collectors called `names` (None: all), each after those that provide what it needs.

        Raises KeyError for an unknown name, and CollectorOrderError when one of them needs what none of the
        others provides.
        """
        chosen = self.by_name if names is None else {name: self.by_name[name] for name in names}
        return order_collectors(chosen.values())


def order_collectors(collectors: Iterable[CollectorManifest]) -> tuple[CollectorManifest, ...]:
    """Sort so that each comes after all others that provide a kind it needs, and by name otherwise.

    Raises CollectorOrderError with every unmet need and the circle, if there is one.
    """
    waiting = {collector.name: collector for collector in sorted(collectors, key=lambda each: each.name)}
    providers = {
        name: {
            other.name
            for other in waiting.values()
            if other is not collector and other.provides & collector.needs
        }
        for name, collector in waiting.items()
    }
    problems: list[str] = []
    for name, collector in waiting.items():
        others = frozenset[str]().union(*(waiting[other].provides for other in providers[name]))
        problems.extend(
            f"the collector {name} needs {kind}, which no other of these collectors provides"
            for kind in sorted(collector.needs - others)
        )
    ordered: list[CollectorManifest] = []
    while waiting:
        ready = [collector for name, collector in waiting.items() if not providers[name] & waiting.keys()]
        if not ready:
            circle = ", ".join(_circle(providers, waiting))
            problems.append(f"these collectors wait for each other in a circle: {circle}")
            break
        ordered.extend(ready)
        for collector in ready:
            del waiting[collector.name]
    if problems:
        raise CollectorOrderError(problems)
    return tuple(ordered)


def load_collector_manifests(folder: Path, allowlist: Allowlist) -> CollectorManifests:
    """Read `*.yml` of the folder. Raises CollectorManifestsError with all problems of all files at once."""
    faults: list[Fault] = []
    found: dict[str, CollectorManifest] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".yml")
    except OSError as error:
        paths = []
        faults.append(Fault(where=str(folder), what=f"cannot be read: {error.strerror}"))
    else:
        if not paths:
            faults.append(Fault(where=str(folder), what="holds no collector manifest (*.yml)"))
    for path in paths:
        report = Report(f"{folder.name}/{path.name}")
        manifest = _load(path, report, allowlist)
        if manifest is not None and manifest.name in found:
            report.add(f"the name {manifest.name} is another collector's already")
        elif manifest is not None:
            found[manifest.name] = manifest
        faults.extend(report.faults)
    if not faults:
        try:
            order_collectors(found.values())
        except CollectorOrderError as error:
            faults.extend(Fault(where=folder.name, what=problem) for problem in error.problems)
    if faults:
        raise CollectorManifestsError(f"the collector manifests in {folder}", faults)
    return CollectorManifests(MappingProxyType(found))


def _circle(providers: Mapping[str, set[str]], waiting: Mapping[str, CollectorManifest]) -> list[str]:
    # What only waits for the circle, without being in it, is waited for by nobody.
    members = set(waiting)
    while True:
        awaited = {name for name in members if any(name in providers[other] for other in members)}
        if awaited == members:
            return sorted(members)
        members = awaited


def _load(path: Path, report: Report, allowlist: Allowlist) -> CollectorManifest | None:
    try:
        raw = read_regular_file(path)
    except UnreadableFileError as error:
        report.add(str(error))
        return None
    document = read_yaml(raw, report)
    if document is None:
        return None
    fields = document.fields(_KEYS)
    name = fields["name"].text() if "name" in fields else None
    if name is not None and not _NAME.fullmatch(name):
        fields["name"].fault(
            "is no collector name: lower-case letters, digits and '-', the first one a letter"
        )
    image = _read_image(fields["image"], allowlist) if "image" in fields else None
    summary = fields["summary"].text(max_length=300) if "summary" in fields else None
    provides = _read_kinds(fields["provides"]) if "provides" in fields else frozenset[str]()
    if "provides" in fields and fields["provides"].content == []:
        fields["provides"].fault("is empty; a collector discovers at least one kind")
    needs = _read_kinds(fields["needs"]) if "needs" in fields else frozenset[str]()
    timeout: int | None = None
    if "timeout_seconds" in fields:
        timeout = fields["timeout_seconds"].integer(least=1, most=MAX_TIMEOUT_SECONDS)
    profile = _read_profile(fields["profile"]) if "profile" in fields else "quick"
    if name is None or image is None or summary is None or timeout is None:
        return None
    return CollectorManifest(name, image, summary, provides, needs, timeout, profile)


def _read_image(node: Node, allowlist: Allowlist) -> AllowedImage | None:
    name = node.text()
    if name is None:
        return None
    try:
        image = allowlist.image(name)
    except ImageNotApprovedError as error:
        node.fault(str(error))
        return None
    if image.role != "collector":
        node.fault(f"{name} is a target; a collector's image is called discovery/test-collector-NAME:TAG")
        return None
    missing = [key for key in CONFIG_KEYS if key not in image.environment]
    if missing:
        node.fault(
            f"{name} does not allow the environment keys that configure a collector: {', '.join(missing)}"
        )
    return image


def _read_kinds(node: Node) -> frozenset[str]:
    found: set[str] = set()
    for item in node.items():
        kind = item.text()
        if kind is not None and kind not in KINDS:
            item.fault(f"is {shown(kind)}; known kinds are {', '.join(KINDS)}")
        elif kind is not None:
            found.add(kind)
    return frozenset(found)


def _read_profile(node: Node) -> Profile:
    text = node.text()
    if text not in {None, "quick", "full"}:
        node.fault(f"is {shown(str(text))}; known profiles are quick and full")
    return cast("Profile", text)
