"""Installs replicas: a template and its rows of the allowlist, under a name, all of it or nothing.

`replicas/NAME/allowlist.json` has the rows that pin its images, `replicas/NAME/replica.json` what it was made
from, when, and what stands for what; the orchestrator reads `replicas/templates/NAME.yml`.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dryrun_contract.text import printable
from dryrun_local.images.allowlist_rows import (
    ROWS,
    RowsError,
    installed_rows,
    require_rows,
    rows_in,
    write_rows,
)
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import OWN_STATE, Installation
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.catalog.allowlist import STAND_IN, AllowlistError, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template
from dryrun_replica.planning.plan import Plan

_CARD = "replica.json"
MAX_CARD_BYTES = 8 * 1024 * 1024
_MOST_FAULTS = 20
SECONDS_UNTIL_READ = 3.0
"""After which a running orchestrator has read new templates: it looks every 2 s."""


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


def note_deployment(screen: Screen, installation: Installation) -> None:
    """Say what is left to do after a change, where something was deployed from this checkout.

    The services of `make up` read these files themselves, and deploy/prepare those of its checkout.
    """
    deploy = installation.root / "deploy"
    is_deployed = any((deploy / name).exists() for name in (".env", "state"))
    if is_deployed and installation.state == installation.root / OWN_STATE:
        screen.note("The deployment takes this over when deploy/prepare runs")


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


def require_fitting_card(card: Mapping[str, Any]) -> None:
    """Raise ReplicaError if a replica's card is too large to be read again."""
    _card_text(card)


def install(
    installation: Installation,
    name: str,
    *,
    templates: Mapping[str, str],
    rows: Mapping[str, Mapping[str, object]],
    card: Mapping[str, Any],
) -> None:
    """Install a replica or replace it. Whoever is interrupted finds the old one or the new one.

    The allowlist and the rows come first: a template that names images which are not there would be a fault.
    Rows of the old one that nobody needs go last, once the orchestrator has read the new templates: a session
    that starts from then on stands on the new images. One that is still being built fails. Raises
    ReplicaError, and RowsError without an allowlist; nothing is installed then.
    """
    require_free_templates(installation, name, templates)
    text = _card_text(card)
    pin(installation, rows)
    folder = installation.replicas / name
    folder.mkdir(parents=True, exist_ok=True)
    installation.replica_templates.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS, (rows_in(folder / ROWS) or {}) | dict(rows))
    write_atomically(folder / _CARD, text)
    for template_id, template in templates.items():
        write_atomically(installation.replica_templates / f"{template_id}.yml", template)
    for template_id in _templates_of(installation, name) - templates.keys():
        (installation.replica_templates / f"{template_id}.yml").unlink(missing_ok=True)
    if (rows_in(folder / ROWS) or {}).keys() - rows.keys():
        time.sleep(SECONDS_UNTIL_READ)
    write_rows(folder / ROWS, rows)
    # Another replica may still have the row of an image that was rebuilt since: the new one holds.
    _write_allowlist(installation, rows)


def pin(installation: Installation, rows: Mapping[str, Mapping[str, object]]) -> None:
    """Add rows of stand-ins to the allowlist.

    Raises ReplicaError for any other image, and if the allowlist would not be valid with them.
    """
    strangers = [name for name in rows if not name.startswith(STAND_IN)]
    if strangers:
        raise ReplicaError(f"a replica pins stand-ins only, not {', '.join(strangers)}")
    _write_allowlist(installation, rows)


def judge_rows(installation: Installation, rows: Mapping[str, Mapping[str, object]]) -> None:
    """Raise ReplicaError if the allowlist would not be valid with these rows; it stays as it is."""
    with _draft(installation, rows):
        pass


def judge_templates(
    installation: Installation,
    templates: Mapping[str, str],
    rows: Mapping[str, Mapping[str, object]],
) -> None:
    """Raise ReplicaError with every fault that the orchestrator would find in these templates.

    They are read as it reads them, in another folder: whatever wrote the plan, nothing is installed that
    could not be started.
    """
    faults: list[str] = []
    folder = tempfile.TemporaryDirectory(prefix="dryrun-templates-")
    with _draft(installation, rows) as draft, folder as made:
        try:
            allowlist = load_allowlist(draft)
            manifests = load_collector_manifests(installation.manifests, allowlist)
        except OperatorFileError as error:
            raise ReplicaError(str(error)) from error
        for template_id, text in templates.items():
            path = Path(made) / f"{template_id}.yml"
            path.write_text(text, encoding="utf-8")
            try:
                load_template(path, allowlist, manifests)
            except TemplateInvalidError as error:
                faults += [
                    printable(f"{Path(fault.where).name}: {fault.what}", limit=300) for fault in error.faults
                ]
    if faults:
        raise ReplicaError("\n  ".join(["these templates could not be started:", *faults[:_MOST_FAULTS]]))


def _write_allowlist(installation: Installation, more: Mapping[str, Mapping[str, object]]) -> None:
    with _draft(installation, more) as draft:
        draft.replace(installation.allowlist)


@contextmanager
def _draft(installation: Installation, more: Mapping[str, Mapping[str, object]]) -> Iterator[Path]:
    """Yield the allowlist with `more` rows, once it is found valid. Raises ReplicaError."""
    # One row that the orchestrator refuses would make the whole file invalid, and nothing would start.
    draft = installation.allowlist.with_name(f".{installation.allowlist.name}.draft.{os.getpid()}")
    try:
        write_rows(draft, _rows_with(installation, more))
        load_allowlist(draft)
        yield draft
    except AllowlistError as error:
        said = str(error).replace(str(draft), str(installation.allowlist))
        raise ReplicaError(f"with these stand-ins the allowlist would not be valid: {said}") from error
    finally:
        draft.unlink(missing_ok=True)


def _rows_with(installation: Installation, more: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    images = require_rows(installation.allowlist)
    own = {name: row for name, row in images.items() if not name.startswith(STAND_IN)}
    return own | installed_rows(installation.state) | dict(more)


def _card_text(card: Mapping[str, Any]) -> str:
    written = {**card, "installed_at": datetime.now(UTC).isoformat(timespec="seconds")}
    text = json.dumps(written, indent=2, ensure_ascii=True) + "\n"
    if len(text) >= MAX_CARD_BYTES:
        raise ReplicaError(
            f"the replica's card would have {len(text) >> 20} MiB, and may have {MAX_CARD_BYTES >> 20} MiB; "
            "import fewer hosts at once"
        )
    return text


def installed(installation: Installation) -> Iterator[Replica]:
    """Yield every installed replica by name."""
    for path in sorted(installation.replicas.glob(f"*/{_CARD}")):
        replica = _read(path)
        if replica is not None:
            yield replica


def damaged(installation: Installation) -> list[str]:
    """Return the names of replicas whose card or rows do not read."""
    return sorted(_folders(installation) - {replica.name for replica in installed(installation)})


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
        if name in _folders(installation):
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
    return name in _folders(installation)


def plan_of(replica: Replica) -> Plan:
    """Return the plan that a replica was made by. Raises ReplicaError."""
    try:
        return Plan.model_validate_json(json.dumps(replica.card["plan"]))
    except (KeyError, ValidationError):
        raise damage(replica.name) from None


def remove(installation: Installation, name: str) -> tuple[str, ...]:
    """Uninstall a replica; return the images that no other one needs. Raises ReplicaError.

    The template goes first, so that no session begins with an image that is pinned no more. A replica whose
    card does not read goes too.
    """
    if name not in _folders(installation):
        find(installation, name)
    for template_id in _templates_of(installation, name):
        (installation.replica_templates / f"{template_id}.yml").unlink(missing_ok=True)
    folder = installation.replicas / name
    images = rows_in(folder / ROWS) or {}
    # The folder goes last: where the disk is full, or this is killed, it can be removed once more.
    if (folder / ROWS).is_file():
        (folder / ROWS).unlink()
    # Fewer rows cannot make it invalid, and what was invalid before must not keep anybody from removing. One
    # that is missing or damaged is written anew by a build, with the rows of what is installed then.
    if rows_in(installation.allowlist) is not None:
        write_rows(installation.allowlist, _rows_with(installation, {}))
    shutil.rmtree(folder)
    needed = set(installed_rows(installation.state))
    return tuple(image for image in images if image not in needed)


def _folders(installation: Installation) -> set[str]:
    if not installation.replicas.is_dir():
        return set()
    folders = {path.name for path in installation.replicas.iterdir() if path.is_dir()}
    return folders - {installation.replica_templates.name}


def _templates_of(installation: Installation, name: str) -> set[str]:
    """Return a replica's templates: those of its card and of its name, but none that another one has.

    The card may not read; and where an import that replaces it was killed, it is the new one's already.
    """
    known = {replica.name: replica.templates for replica in installed(installation)}
    own = _templates_named(installation, name).union(known.pop(name, ()))
    unread = own & _folders(installation) - {name}
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
