"""Takes over a scanner's image that is on this machine: explains, tags, pins, installs, and tries it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dryrun_contract.collector_config import CONFIG_KEYS
from dryrun_contract.scan_choice import COLLECTOR_NAME
from dryrun_contract.text import printable
from dryrun_local.collectors.installed import ScannerRefusedError, install, trial_template
from dryrun_local.collectors.scanner_image import (
    ScannerImage,
    ScannerImageError,
    hints,
    inspect,
    obstacles,
)
from dryrun_local.images.manifest import size_in_bytes
from dryrun_local.images.programs import capture
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.catalog.allowlist import COLLECTOR_PREFIX
from dryrun_orchestrator.catalog.operator_file import UnreadableFileError, read_regular_file
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Node

_NAME = re.compile(COLLECTOR_NAME)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Added:
    """A scanner that is installed now."""

    name: str
    image: ScannerImage
    template: str

    def hints(self, reason: str) -> list[str]:
        """Return what to do about a trial that failed for this reason."""
        return list(hints(reason, self.image))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a manifest asks to be granted to its image."""

    name: str
    image: str | None
    arguments: tuple[str, ...]
    capabilities: tuple[str, ...]
    max_rate: int | None


async def add(
    installation: Installation, screen: Screen, reference: str, manifest: Path, tmpfs: tuple[str, ...]
) -> Added:
    """Install an image with its manifest. Raises ScannerImageError or ScannerRefusedError."""
    raw = _read(manifest)
    asked = _asked(raw, str(manifest))
    mounts = dict(map(_mount, tmpfs))
    image = await inspect(reference)
    found = list(
        obstacles(image, has_arguments=bool(asked.arguments), raw_packets="NET_RAW" in asked.capabilities)
    )
    if found:
        raise ScannerImageError("\n  ".join([f"{reference} cannot be installed as it is:", *found]))
    name = asked.image or f"{COLLECTOR_PREFIX}{asked.name}:{_tag(image)}"
    text = raw.decode("utf-8")
    if asked.image is None:
        text = f"{text.rstrip()}\nimage: {name}\n"
    with held(installation, IMAGES):
        install(installation, asked.name, name, text, _row(asked, image, mounts))
    code, _, errors = await capture(["docker", "tag", image.id, name])
    if code:
        raise ScannerImageError(f"docker tag failed: {printable(errors.strip(), limit=300)}")
    screen.done(f"{reference} is installed as {name}", image.id[:19])
    screen.note("It may run with:", _granted(asked, mounts))
    return Added(asked.name, image, trial_template(asked.name))


def _read(manifest: Path) -> bytes:
    try:
        return read_regular_file(manifest.resolve())
    except UnreadableFileError as error:
        raise ScannerRefusedError(f"{manifest}: {error}") from None


def _asked(raw: bytes, where: str) -> _Asked:
    report = FaultList(where)
    document = read_yaml(raw, report)
    fields: Mapping[str, Node] = document.entries() if document is not None else {}
    name = fields["name"].text() if "name" in fields else None
    if document is not None and (name is None or not _NAME.fullmatch(name)):
        report.add("needs a name: lower-case letters, digits and '-', the first one a letter")
    asked = _Asked(
        name or "",
        fields["image"].text() if "image" in fields else None,
        _texts(fields.get("arguments")),
        _texts(fields.get("capabilities")),
        fields["max_rate"].integer(least=1, most=10**6) if "max_rate" in fields else None,
    )
    if asked.image is not None and not asked.image.startswith(COLLECTOR_PREFIX):
        fields["image"].fault(f"is not under {COLLECTOR_PREFIX}; leave it out, and it gets a name there")
    if report.faults:
        raise ScannerRefusedError("\n  ".join(f"{fault.where}: {fault.what}" for fault in report.faults))
    return asked


def _texts(node: Node | None) -> tuple[str, ...]:
    items = node.items() if node is not None else []
    return tuple(text for item in items if (text := item.string(max_length=256)) is not None)


def _mount(text: str) -> tuple[str, int]:
    path, equals, size = text.partition("=")
    try:
        return path, size_in_bytes(size) if equals else 16 * 1024 * 1024
    except ValueError as error:
        raise ScannerRefusedError(f"--tmpfs {printable(text, limit=80)}: {error}") from None


def _tag(image: ScannerImage) -> str:
    tag = image.reference.rpartition(":")[2] if ":" in image.reference.rpartition("/")[2] else ""
    is_stable = _TAG.fullmatch(tag) and tag != "latest"
    return tag if is_stable else image.id.removeprefix("sha256:")[:12]


def _row(asked: _Asked, image: ScannerImage, mounts: Mapping[str, int]) -> dict[str, object]:
    """Return the allowlist's row: what the manifest asks for and nothing else."""
    rate = {} if asked.max_rate is None or not asked.arguments else {"max_rate": asked.max_rate}
    return {
        "id": image.id,
        # A scanner that reads the contract's configuration has no arguments.
        "environment": [] if asked.arguments else list(CONFIG_KEYS),
        "capabilities": list(asked.capabilities),
        "arguments": [list(asked.arguments)] if asked.arguments else [],
        **rate,
        "read_only": True,
        "tmpfs": {path: {"size": size, "uid": 0, "gid": 0, "mode": "1777"} for path, size in mounts.items()},
        "size": image.size,
    }


def _granted(asked: _Asked, mounts: Mapping[str, int]) -> str:
    parts = [
        f"the arguments [{' '.join(asked.arguments)}]" if asked.arguments else "DISCOVERY_CONFIG",
        *asked.capabilities,
        *(f"{path} in memory ({size >> 20} MiB)" for path, size in mounts.items()),
    ]
    return printable(", ".join(parts), limit=1000)
