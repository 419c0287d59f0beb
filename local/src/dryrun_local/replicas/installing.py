"""Installs replicas and removes them: templates and rows of the allowlist, all of a replica or nothing."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dryrun_contract.text import printable
from dryrun_local.images.allowlist_rows import ROWS, installed_rows, require_rows, rows_in, write_rows
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import OWN_STATE, Installation
from dryrun_local.replicas.installed import (
    CARD,
    MAX_CARD_BYTES,
    ReplicaError,
    find,
    folders_of,
    require_free_templates,
    templates_of,
)
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.catalog.allowlist import STAND_IN, AllowlistError, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template

_MOST_FAULTS = 20
SECONDS_UNTIL_READ = 3.0
"""After which a running orchestrator has read new templates: it looks every 2 s."""


def note_deployment(screen: Screen, installation: Installation) -> None:
    """Say what is left to do after a change, where something was deployed from this checkout.

    The services of `make up` read these files themselves, and deploy/prepare those of its checkout.
    """
    deploy = installation.root / "deploy"
    is_deployed = any((deploy / name).exists() for name in (".env", "state"))
    if is_deployed and installation.state == installation.root / OWN_STATE:
        screen.note("The deployment takes this over when deploy/prepare runs")


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
    write_atomically(folder / CARD, text)
    for template_id, template in templates.items():
        write_atomically(installation.replica_templates / f"{template_id}.yml", template)
    for template_id in templates_of(installation, name) - templates.keys():
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


def remove(installation: Installation, name: str) -> tuple[str, ...]:
    """Uninstall a replica; return the images that no other one needs. Raises ReplicaError.

    The template goes first, so that no session begins with an image that is pinned no more. A replica whose
    card does not read goes too.
    """
    if name not in folders_of(installation):
        find(installation, name)
    for template_id in templates_of(installation, name):
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
