"""Installs replicas: a template and its rows of the allowlist, under a name, all of it or nothing.

`replicas/NAME/allowlist.json` has the rows that pin its images, `replicas/NAME/replica.json` what it was made
from, when, and what stands for what; the orchestrator reads `replicas/templates/NAME.yml`.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dryrun_local.images.building import ALLOWLIST_VERSION, write_atomically
from dryrun_local.images.installed_rows import ROWS, STAND_IN, installed_rows
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation

_CARD = "replica.json"
MAX_CARD_BYTES = 8 * 1024 * 1024


class ReplicaError(LocalError):
    """A replica is not there, or cannot be installed under its name."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One installed replica. `card` is what was written with it: origin, coverage, hosts and their images."""

    name: str
    installed_at: datetime
    images: tuple[str, ...]
    templates: tuple[str, ...]
    card: Mapping[str, Any]


def require_free_name(installation: Installation, name: str) -> None:
    """Raise ReplicaError if the project itself has a template of this name."""
    if name == installation.replica_templates.name:
        raise ReplicaError(f"a replica cannot be named {name}; choose another name")
    if (installation.root / "templates" / f"{name}.yml").exists():
        raise ReplicaError(f"{name} is one of the project's own templates; choose another name")


def install(
    installation: Installation,
    name: str,
    *,
    templates: Mapping[str, str],
    rows: Mapping[str, Mapping[str, object]],
    card: Mapping[str, Any],
) -> None:
    """Install a replica or replace it. Whoever is interrupted finds the old one or the new one.

    The allowlist comes first: a template that names images which are not there would be a fault. Rows of the
    old one that nobody needs go last.
    """
    for template_id in (name, *templates):
        require_free_name(installation, template_id)
    before = next((replica for replica in installed(installation) if replica.name == name), None)
    folder = installation.replicas / name
    folder.mkdir(parents=True, exist_ok=True)
    installation.replica_templates.mkdir(parents=True, exist_ok=True)
    pin(installation, rows)
    written = {**card, "installed_at": datetime.now(UTC).isoformat(timespec="seconds")}
    write_atomically(folder / _CARD, json.dumps(written, indent=2, ensure_ascii=True) + "\n")
    for template_id, text in templates.items():
        write_atomically(installation.replica_templates / f"{template_id}.yml", text)
    for template_id in set(before.templates if before else ()) - templates.keys():
        (installation.replica_templates / f"{template_id}.yml").unlink(missing_ok=True)
    content = {"version": ALLOWLIST_VERSION, "images": dict(sorted(rows.items()))}
    write_atomically(folder / ROWS, json.dumps(content, indent=2) + "\n")
    _write_allowlist(installation, {})


def pin(installation: Installation, rows: Mapping[str, Mapping[str, object]]) -> None:
    """Add rows of stand-ins to the allowlist. Raises ReplicaError for any other image."""
    strangers = [name for name in rows if not name.startswith(STAND_IN)]
    if strangers:
        raise ReplicaError(f"a replica pins stand-ins only, not {', '.join(strangers)}")
    _write_allowlist(installation, rows)


def allowed_images(installation: Installation) -> dict[str, Any]:
    """Return the rows of the allowlist. Raises ReplicaError when there is none."""
    try:
        images: dict[str, Any] = json.loads(installation.allowlist.read_text(encoding="utf-8"))["images"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ReplicaError(
            f"{installation.allowlist} is missing or damaged; `dryrun-local images build` writes it"
        ) from None
    return images


def _write_allowlist(installation: Installation, more: Mapping[str, Mapping[str, object]]) -> None:
    images = allowed_images(installation)
    own = {name: row for name, row in images.items() if not name.startswith(STAND_IN)}
    rows = own | installed_rows(installation.state) | dict(more)
    written = {"version": ALLOWLIST_VERSION, "images": dict(sorted(rows.items()))}
    write_atomically(installation.allowlist, json.dumps(written, indent=2) + "\n")


def installed(installation: Installation) -> Iterator[Replica]:
    """Yield every installed replica by name."""
    for path in sorted(installation.replicas.glob(f"*/{_CARD}")):
        replica = _read(path)
        if replica is not None:
            yield replica


def find(installation: Installation, name: str) -> Replica:
    """Return an installed replica. Raises ReplicaError."""
    known = {replica.name: replica for replica in installed(installation)}
    if name not in known:
        listed = ", ".join(known) or "none"
        raise ReplicaError(f"there is no replica {name!r}; installed are: {listed}")
    return known[name]


def remove(installation: Installation, name: str) -> tuple[str, ...]:
    """Uninstall a replica; return the images that no other one needs. Raises ReplicaError.

    The template goes first, so that no session begins with an image that is pinned no more.
    """
    replica = find(installation, name)
    for template_id in replica.templates:
        (installation.replica_templates / f"{template_id}.yml").unlink(missing_ok=True)
    shutil.rmtree(installation.replicas / name)
    _write_allowlist(installation, {})
    needed = set(installed_rows(installation.state))
    return tuple(image for image in replica.images if image not in needed)


def _read(path: Path) -> Replica | None:
    try:
        with path.open("rb") as file:
            card = json.loads(file.read(MAX_CARD_BYTES))
        rows = json.loads((path.parent / ROWS).read_text(encoding="utf-8"))["images"]
        templates = tuple(map(str, card["templates"]))
        return Replica(
            path.parent.name, datetime.fromisoformat(card["installed_at"]), tuple(rows), templates, card
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
