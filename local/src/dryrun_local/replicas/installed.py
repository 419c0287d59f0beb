"""The installed replicas: what each is, which names and templates are taken.

`replicas/NAME/allowlist.json` has the rows that pin its images, `replicas/NAME/replica.json` what it was made
from, when, and what stands for what; the orchestrator reads `replicas/templates/NAME.yml`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dryrun_contract.text import printable
from dryrun_local.images.allowlist_rows import ROWS, RowsError, require_rows
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_replica.planning.plan import Plan

CARD = "replica.json"
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


def named(templates: Sequence[str]) -> str:
    """Return templates of one replica as people read them: parts of a network are many.

    >>> named(["acme"]), named(["acme-1", "acme-2", "acme-3"])
    ('acme', 'acme-1 to acme-3')
    """
    known = templates if len(templates) < 3 else (f"{templates[0]} to {templates[-1]}",)
    return printable(", ".join(known))


def installed_as(templates: Sequence[str]) -> str:
    """Return that a replica is installed, and how one rehearses on it."""
    if len(templates) == 1:
        return f"is installed; rehearse on it: dryrun start {named(templates)} --watch"
    return (
        f"is installed as {len(templates)} templates, {named(templates)}; rehearse on one: "
        f"dryrun start {printable(templates[0])} --watch; on all: dryrun experiment run FILE"
    )


def require_free_name(installation: Installation, name: str) -> None:
    """Raise ReplicaError if the project itself, or a folder that was added, has a template of this name."""
    if name == installation.replica_templates.name:
        raise ReplicaError(f"a replica cannot be named {name}; choose another name")
    if _has_template(installation.root, name):
        raise ReplicaError(f"{name} is one of the project's own templates; choose another name")
    for folder in installation.added:
        if _has_template(folder, name):
            raise ReplicaError(f"{name} is a template of {folder}; choose another name")


def _has_template(folder: Path, name: str) -> bool:
    """Return whether a folder has a template of this name, which may be any text, and is no path."""
    return any(path.stem == name for path in (folder / "templates").glob("*.yml"))


def require_free_templates(installation: Installation, name: str, template_ids: Iterable[str]) -> None:
    """Raise ReplicaError if anybody else than the replica `name` has one of these templates."""
    owners = {
        template_id: replica.name
        for replica in installed(installation)
        if replica.name != name
        for template_id in replica.templates
    }
    for template_id in (name, *template_ids):
        require_free_name(installation, template_id)
        if template_id in owners:
            raise ReplicaError(
                f"{template_id} is a template of the replica {owners[template_id]}; choose another name, or "
                f"remove that replica with `dryrun-local network remove {owners[template_id]}`"
            )


def installed(installation: Installation) -> Iterator[Replica]:
    """Yield every installed replica by name."""
    for path in sorted(installation.replicas.glob(f"*/{CARD}")):
        replica = _read(path)
        if replica is not None:
            yield replica


def damaged(installation: Installation) -> list[str]:
    """Return the names of replicas whose card or rows do not read."""
    return sorted(folders_of(installation) - {replica.name for replica in installed(installation)})


def damage(name: str) -> ReplicaError:
    """Return what to do with a replica that does not read."""
    shown = printable(name)
    return ReplicaError(
        f"the replica {shown} is damaged, or of another version; import the network again, or remove it: "
        f"dryrun-local network remove {shown}"
    )


def find(installation: Installation, name: str) -> Replica:
    """Return an installed replica. Raises ReplicaError."""
    known = {replica.name: replica for replica in installed(installation)}
    if name not in known:
        if name in folders_of(installation):
            raise damage(name)
        raise ReplicaError(
            f"{_what_else(installation, name, known)}; installed are: {', '.join(known) or 'none'}"
        )
    return known[name]


def _what_else(installation: Installation, name: str, known: Mapping[str, Replica]) -> str:
    """Return what a name is that no replica has."""
    shown = printable(name, limit=80)
    if _has_template(installation.root, name):
        return f"{shown} is one of the project's own templates, not a replica"
    owner = next((each.name for each in known.values() if name in each.templates), None)
    if owner is not None:
        return f"{shown} is a template of the replica {printable(owner)}, not a replica itself"
    return f"there is no replica '{shown}'"


def is_there(installation: Installation, name: str) -> bool:
    """Return whether a replica of this name is installed, whether it reads or not."""
    return name in folders_of(installation)


def plan_of(replica: Replica) -> Plan:
    """Return the plan that a replica was made by. Raises ReplicaError."""
    try:
        return Plan.model_validate_json(json.dumps(replica.card["plan"]))
    except (KeyError, ValidationError):
        raise damage(replica.name) from None


def folders_of(installation: Installation) -> set[str]:
    """Return the names of replicas that have a folder, whether they read or not."""
    if not installation.replicas.is_dir():
        return set()
    folders = {path.name for path in installation.replicas.iterdir() if path.is_dir()}
    return folders - {installation.replica_templates.name}


def templates_of(installation: Installation, name: str) -> set[str]:
    """Return a replica's templates: those of its card and of its name, but none that another one has.

    The card may not read; and where an import that replaces it was killed, it is the new one's already.
    """
    known = {replica.name: replica.templates for replica in installed(installation)}
    own = _templates_named(installation, name).union(known.pop(name, ()))
    unread = own & folders_of(installation) - {name}
    return own.difference(*known.values(), *(_templates_named(installation, each) for each in unread))


def _templates_named(installation: Installation, name: str) -> set[str]:
    named = re.compile(rf"{re.escape(name)}(?:-\d+)?")
    return {path.stem for path in installation.replica_templates.glob("*.yml") if named.fullmatch(path.stem)}


def _read(path: Path) -> Replica | None:
    try:
        with path.open("rb") as file:
            card = json.loads(file.read(MAX_CARD_BYTES))
        rows = require_rows(path.parent / ROWS)
        templates = tuple(map(str, card["templates"]))
        return Replica(
            path.parent.name, datetime.fromisoformat(card["installed_at"]), tuple(rows), templates, card
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, RowsError):
        return None
