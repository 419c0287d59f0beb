"""Reads one collector manifest and reports all its problems."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dryrun_contract.collector_config import CONFIG_KEYS, Profile
from dryrun_contract.event import Purpose
from dryrun_contract.kinds import KINDS
from dryrun_contract.scan_choice import COLLECTOR_NAME, MAX_RATE
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.arguments import MAX_ARGUMENT_CHARACTERS, RATE, difference, has_rate
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.named_image import read_image
from dryrun_orchestrator.catalog.operator_file import UnreadableFileError, read_regular_file
from dryrun_orchestrator.catalog.reader_tables import CONTRACT_LINES
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
_NAME = re.compile(COLLECTOR_NAME)
_PROFILES: tuple[Profile, ...] = ("quick", "full")
_PURPOSES: tuple[Purpose, ...] = ("discovery", "comparison")
"""The first of each is the default."""


def read_manifest(
    path: Path, report: FaultList, allowlist: Allowlist, tables: Mapping[str, ReaderTable]
) -> CollectorManifest | None:
    """Return the collector of a manifest; None or an incomplete one when `report` has faults."""
    try:
        raw = read_regular_file(path)
    except UnreadableFileError as error:
        report.add(str(error))
        return None
    document = read_yaml(raw, report)
    if document is None:
        return None
    fields = document.fields(_KEYS)
    name = _read_name(fields["name"]) if "name" in fields else None
    image = read_image(fields["image"], allowlist, "collector") if "image" in fields else None
    summary = fields["summary"].text(max_length=300) if "summary" in fields else None
    timeout: int | None = None
    if "timeout_seconds" in fields:
        timeout = fields["timeout_seconds"].integer(least=1, most=MAX_TIMEOUT_SECONDS)
    provides = _read_provides(fields["provides"]) if "provides" in fields else frozenset[str]()
    arguments = _read_arguments(fields["arguments"], image) if "arguments" in fields else ()
    output = _read_word(fields.get("output"), (CONTRACT_LINES, NMAP_XML, *tables))
    if image is not None and "arguments" not in fields:
        _check_configurable(fields["image"], image)
    capabilities = image.capabilities if image is not None else ()
    if "capabilities" in fields:
        capabilities = _read_capabilities(fields["capabilities"], image)
    needs = _read_kinds(fields["needs"]) if "needs" in fields else frozenset[str]()
    profile = _read_word(fields.get("profile"), _PROFILES)
    purpose = _read_word(fields.get("purpose"), _PURPOSES)
    engines = [item.text() or "" for item in fields["credentials"].items()] if "credentials" in fields else ()
    max_rate = _read_rate(fields, arguments, image)
    claims = _read_claims(fields["claims"], provides) if "claims" in fields else None
    if name is None or image is None or summary is None or timeout is None:
        return None
    return CollectorManifest(
        name=name,
        image=image,
        summary=summary,
        provides=provides,
        needs=needs,
        timeout_seconds=timeout,
        profile=profile,
        capabilities=capabilities,
        arguments=arguments,
        output=output,
        purpose=purpose,
        credentials=frozenset(engines),
        max_rate=max_rate,
        claims=claims,
        table=tables.get(output),
    )


def _read_name(node: Node) -> str | None:
    name = node.text()
    if name is not None and not _NAME.fullmatch(name):
        node.fault("is not a collector name: lower-case letters, digits and '-', the first one a letter")
    return name


def _read_provides(node: Node) -> frozenset[str]:
    if node.content == []:
        node.fault("is empty; a collector discovers at least one kind")
    return _read_kinds(node)


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
