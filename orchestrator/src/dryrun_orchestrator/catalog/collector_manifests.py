"""The installed collector manifests: what each collector needs and provides, and their order."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dryrun_contract.collector_config import CONFIG_KEYS, Profile
from dryrun_contract.event import Purpose
from dryrun_contract.kinds import KINDS
from dryrun_contract.problem import Fault
from dryrun_contract.scan_choice import MAX_RATE
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.arguments import MAX_ARGUMENT_CHARACTERS, RATE, difference, has_rate
from dryrun_orchestrator.catalog.collector_order import CollectorOrderError, order_collectors
from dryrun_orchestrator.catalog.named_image import read_image
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)
from dryrun_orchestrator.catalog.reader_tables import CONTRACT_LINES, READERS, load_reader_tables
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Node, shown
from dryrun_orchestrator.readers.table import NMAP_XML, ReaderTable

MAX_TIMEOUT_SECONDS = 1500
"""Leaves five of a session's thirty minutes for creating and removing its network."""

_KEYS = {
    "name": True,
    "image": True,
    "summary": True,
    "provides": True,
    "needs": False,
    "timeout_seconds": True,
    "profile": False,
    "max_rate": False,
    "credentials": False,
    "arguments": False,
    "capabilities": False,
    "output": False,
    "purpose": False,
    "claims": False,
}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


_PROFILES: tuple[Profile, ...] = ("quick", "full")
_PURPOSES: tuple[Purpose, ...] = ("discovery", "comparison")
"""The first of each is the default."""


class CollectorManifestsError(OperatorFileError):
    """The collector manifests are invalid; `faults` lists all problems of all files."""


@dataclass(frozen=True, slots=True)
class CollectorManifest:
    """One installed collector."""

    name: str
    image: AllowedImage
    summary: str
    provides: frozenset[str]
    """Kinds it discovers."""
    needs: frozenset[str]
    """Kinds it is given from earlier collectors."""
    timeout_seconds: int
    profile: Profile
    capabilities: tuple[str, ...] = ()
    """A subset of what the allowlist grants its image."""
    arguments: tuple[str, ...] = ()
    """One of the image's argument lists, with placeholders; empty for one that reads `DISCOVERY_CONFIG`."""
    output: str = CONTRACT_LINES
    """`ndjson`, the contract's lines; `nmap-xml`; or the name of a reader table."""
    purpose: Purpose = "discovery"
    credentials: frozenset[str] = frozenset()
    """Engines whose credentials it is given, of those that the template holds."""
    max_rate: int | None = None
    """Packets per second at most; a client may choose less."""

    claims: Mapping[str, tuple[str, ...]] | None = None
    """Kinds, with scored attributes, that it is judged by in its own column; None for all that it reports."""
    table: ReaderTable | None = None
    """Reads its output, when `output` names one."""

    @property
    def reader(self) -> str | None:
        """What the process that reads its output gets; None for one that writes the contract's lines."""
        if self.table is not None:
            return self.table.to_json()
        return None if self.output == CONTRACT_LINES else self.output

    @property
    def takes_rate(self) -> bool:
        """Whether its rate can be chosen: it reads its configuration, or one of its arguments is the rate."""
        return not self.arguments or has_rate(self.arguments)

    def waits_for(self, other: "CollectorManifest") -> bool:
        """Return whether `other` provides what this one needs; a comparison passes nothing on."""
        return other is not self and other.purpose == "discovery" and bool(other.provides & self.needs)


@dataclass(frozen=True, slots=True)
class CollectorManifests:
    """All installed collectors, whose needs are satisfiable."""

    by_name: Mapping[str, CollectorManifest]

    def in_order(self, names: Collection[str] | None = None) -> tuple[CollectorManifest, ...]:
        """Return the named collectors, each after those that provide what it needs.

        `None` means all except those for comparison.

        Raises KeyError for an unknown name, and CollectorOrderError when one needs a kind that no other
        provides.
        """
        if names is None:
            return order_collectors(each for each in self.by_name.values() if each.purpose == "discovery")
        return order_collectors(self.by_name[name] for name in names)


def load_collector_manifests(folder: Path, allowlist: Allowlist) -> CollectorManifests:
    """Read `*.yml` of the folder. Raises CollectorManifestsError with all problems of all files."""
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
    tables = load_reader_tables(folder / READERS, faults)
    for path in paths:
        report = FaultList(f"{folder.name}/{path.name}")
        manifest = _load(path, report, allowlist, tables)
        if manifest is not None and manifest.name in found:
            report.add(f"the name {manifest.name} already belongs to another collector")
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


def _load(
    path: Path, report: FaultList, allowlist: Allowlist, tables: Mapping[str, ReaderTable]
) -> CollectorManifest | None:
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
            "is not a collector name: lower-case letters, digits and '-', the first one a letter"
        )
    image = read_image(fields["image"], allowlist, "collector") if "image" in fields else None
    summary = fields["summary"].text(max_length=300) if "summary" in fields else None
    provides = _read_kinds(fields["provides"]) if "provides" in fields else frozenset[str]()
    if "provides" in fields and fields["provides"].content == []:
        fields["provides"].fault("is empty; a collector discovers at least one kind")
    needs = _read_kinds(fields["needs"]) if "needs" in fields else frozenset[str]()
    timeout: int | None = None
    if "timeout_seconds" in fields:
        timeout = fields["timeout_seconds"].integer(least=1, most=MAX_TIMEOUT_SECONDS)
    profile = _read_word(fields.get("profile"), _PROFILES)
    output = _read_word(fields.get("output"), (CONTRACT_LINES, NMAP_XML, *tables))
    purpose = _read_word(fields.get("purpose"), _PURPOSES)
    arguments = _read_arguments(fields["arguments"], image) if "arguments" in fields else ()
    capabilities = image.capabilities if image is not None else ()
    if "capabilities" in fields:
        capabilities = _read_capabilities(fields["capabilities"], image)
    engines = (
        frozenset(item.text() or "" for item in fields["credentials"].items())
        if "credentials" in fields
        else ()
    )
    claims = _read_claims(fields["claims"], provides) if "claims" in fields else None
    rate = _read_rate(fields, arguments, image)
    if image is not None and "arguments" not in fields:
        _check_configurable(fields["image"], image)
    if name is None or image is None or summary is None or timeout is None:
        return None
    return CollectorManifest(
        name,
        image,
        summary,
        provides,
        needs,
        timeout,
        profile,
        capabilities,
        arguments,
        output,
        purpose,
        frozenset(engines),
        rate,
        claims,
        tables.get(output),
    )


def _check_configurable(node: Node, image: AllowedImage) -> None:
    missing = [key for key in CONFIG_KEYS if key not in image.environment]
    if missing:
        node.fault(
            f"{image.name} does not allow the environment keys that configure a collector: "
            f"{', '.join(missing)}; a foreign program is configured by 'arguments'"
        )


def _read_arguments(node: Node, image: AllowedImage | None) -> tuple[str, ...]:
    items = node.items()
    texts = [item.string(max_length=MAX_ARGUMENT_CHARACTERS) for item in items]
    arguments = tuple(text for text in texts if text is not None)
    if len(arguments) < len(items) or not isinstance(node.content, list) or image is None:
        return ()
    if arguments not in image.arguments:
        why = difference(arguments, image.arguments)
        node.fault(f"is not an argument list that the allowlist has for {image.name}: {why}")
    return arguments


def _read_rate(
    fields: Mapping[str, Node], arguments: tuple[str, ...], image: AllowedImage | None
) -> int | None:
    if "max_rate" not in fields:
        if has_rate(arguments):
            fields["arguments"].fault(
                f"holds {RATE}; max_rate has to say how many packets per second that is"
            )
        return None
    node = fields["max_rate"]
    if not arguments:
        return node.integer(least=1, most=MAX_RATE)
    if not has_rate(arguments):
        node.fault(f"has no effect: no argument holds {RATE}")
        return None
    return node.integer(least=1, most=MAX_RATE if image is None or image.max_rate is None else image.max_rate)


def _read_capabilities(node: Node, image: AllowedImage | None) -> tuple[str, ...]:
    found: list[str] = []
    for item in node.items():
        text = item.text()
        if text is not None and image is not None and text not in image.capabilities:
            granted = ", ".join(image.capabilities) or "none"
            item.fault(f"{shown(text)} is not granted by the allowlist: {image.name} has {granted}")
        elif text is not None:
            found.append(text)
    return tuple(dict.fromkeys(found))


def _read_kinds(node: Node) -> frozenset[str]:
    found: set[str] = set()
    for item in node.items():
        kind = item.text()
        if kind is not None and kind not in KINDS:
            item.fault(f"is {shown(kind)}; known kinds are {', '.join(KINDS)}")
        elif kind is not None:
            found.add(kind)
    return frozenset(found)


def _read_claims(node: Node, provides: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind, attributes in node.entries().items():
        if kind not in KINDS:
            attributes.fault(f"{shown(kind)} is not a kind; known are {', '.join(KINDS)}")
            continue
        if kind not in provides:
            attributes.fault(f"{kind} is claimed but missing in 'provides'")
        scored = KINDS[kind].scored
        texts = [(item, item.text()) for item in attributes.items()]
        for item, text in texts:
            if text is not None and text not in scored:
                known = ", ".join(scored) or "none, its presence alone"
                item.fault(f"{shown(text)} is not a scored attribute of {kind}; it has {known}")
        found[kind] = tuple(dict.fromkeys(text for _, text in texts if text is not None))
    if not found:
        node.fault("is empty; leave it out to be judged by all that is reported")
    return MappingProxyType(found)


def _read_word[W: str](node: Node | None, known: tuple[W, ...]) -> W:
    """Return the value in the file, or the first known one."""
    text = None if node is None else node.text()
    for word in known:
        if text == word:
            return word
    if node is not None and text is not None:
        node.fault(f"is {shown(text)}; known are {', '.join(known[:-1])} and {known[-1]}")
    return known[0]
