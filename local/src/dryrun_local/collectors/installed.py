"""Installed scanners: beside the allowlist, their manifests, rows and a network to try each on."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dryrun_local.images.allowlist_rows import ROWS, require_rows, rows_in, write_rows
from dryrun_local.machine.added_folders import MANIFESTS, READERS, TEMPLATES, sources
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import COLLECTOR_PREFIX, AllowlistError, load_allowlist
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifestsError, load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import UnreadableFileError, read_regular_file
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList

_TRIAL = """\
x-dryrun:
  title: Try {name}
  description: A web server with TLS, an SSH server and a machine with no open port.
  collectors: [{collectors}]
services:
  web:
    image: discovery/test-nginx:1.26
  shell:
    image: discovery/test-ssh:10.0
  desk:
    image: discovery/test-quiet:1.0
"""


class ScannerRefusedError(LocalError):
    """The manifest or what it asks for is invalid; the message lists every fault. Nothing was installed."""


def trial_template(name: str) -> str:
    """Return the id of the network to try a scanner on."""
    return f"try-{name}"[:40].rstrip("-")


def install(
    installation: Installation, name: str, image: str, text: str, row: Mapping[str, object]
) -> CollectorManifest:
    """Install a manifest with its image's row; one of the same name is replaced.

    Raises ScannerRefusedError with every fault, and installs nothing then.
    """
    home = installation.scanners
    allowed, own = require_rows(installation.allowlist), rows_in(home / ROWS) or {}
    taken = sources(installation, MANIFESTS).get(f"{name}.yml")
    if taken is not None and taken.parent != home / MANIFESTS:
        raise ScannerRefusedError(f"the name {name} already belongs to another collector ({taken})")
    if image in allowed and image not in own:
        raise ScannerRefusedError(
            f"the name {image} belongs to another image; leave 'image' out of the manifest"
        )
    rows = allowed | {image: dict(row)}
    with tempfile.TemporaryDirectory(prefix="dryrun-collector-") as folder:
        manifest = _checked(installation, Path(folder), name, text, rows)
    for part in (MANIFESTS, TEMPLATES):
        (home / part).mkdir(parents=True, exist_ok=True)
    # The row first: a manifest that names an image which is not approved would be a fault.
    write_rows(home / ROWS, own | {image: dict(row)})
    write_rows(installation.allowlist, rows)
    write_atomically(home / MANIFESTS / f"{name}.yml", text)
    needs = "network, " if manifest.needs else ""
    trial = _TRIAL.format(name=name, collectors=f"{needs}{name}")
    write_atomically(home / TEMPLATES / f"{trial_template(name)}.yml", trial)
    return manifest


def remove(installation: Installation, name: str) -> str:
    """Uninstall a scanner; return its image, which stays in the engine. Raises ScannerRefusedError.

    Whatever else does not read: an installation that broke off, a manifest or an allowlist that is damaged.
    """
    home = installation.scanners
    path = home / MANIFESTS / f"{name}.yml"
    if not path.is_file():
        known = sorted(each.stem for each in (home / MANIFESTS).glob("*.yml"))
        raise ScannerRefusedError(f"no scanner {name} was added; added are: {', '.join(known) or 'none'}")
    image = _image_of(path) or f"{COLLECTOR_PREFIX}{name}"
    path.unlink()
    (home / TEMPLATES / f"{trial_template(name)}.yml").unlink(missing_ok=True)
    _drop_rows(installation, image)
    return image


def _image_of(manifest: Path) -> str | None:
    """Return the image that a manifest names; None for one that does not read."""
    try:
        document = read_yaml(read_regular_file(manifest), FaultList(manifest.name))
    except UnreadableFileError:
        return None
    fields = document.entries() if document is not None else {}
    return fields["image"].text() if "image" in fields else None


def _drop_rows(installation: Installation, removed: str) -> None:
    """Remove the rows of scanners that no manifest names, also those that an earlier removal left.

    Where a manifest does not read, only that of the `removed` image, which nobody else names. An allowlist
    that is damaged is written anew by a build, with the rows of what is installed then.
    """
    home = installation.scanners
    named = {_image_of(path) for path in sources(installation, MANIFESTS).values()}
    own = rows_in(home / ROWS) or {}
    unnamed = {removed} - named if None in named else own.keys() - named
    for place, rows in ((home / ROWS, own), (installation.allowlist, rows_in(installation.allowlist))):
        if rows is not None:
            write_rows(place, {image: row for image, row in rows.items() if image not in unnamed})


def _checked(
    installation: Installation, draft: Path, name: str, text: str, rows: Mapping[str, Any]
) -> CollectorManifest:
    folder = draft / MANIFESTS
    (folder / READERS).mkdir(parents=True)
    for part, target in ((MANIFESTS, folder), (READERS, folder / READERS)):
        for path in sources(installation, part).values():
            shutil.copyfile(path, target / path.name)
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    write_rows(draft / ROWS, rows)
    try:
        return load_collector_manifests(folder, load_allowlist(draft / ROWS)).by_name[name]
    except (AllowlistError, CollectorManifestsError) as error:
        said = str(error).replace(f"{draft}{os.sep}", "")
        if all(fault.where.startswith(f"{MANIFESTS}/") for fault in error.faults) and not any(
            fault.where.startswith(f"{MANIFESTS}/{name}.yml") for fault in error.faults
        ):
            said += "\n  The scanner causes none of this: `dryrun-local images build` renews the allowlist"
        raise ScannerRefusedError(said) from None
    except KeyError:
        raise ScannerRefusedError(f"the manifest's name is not {name}") from None
