"""Installed scanners: beside the allowlist, their manifests, rows and a network to try each on."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dryrun_local.images.building import ALLOWLIST_VERSION, write_atomically
from dryrun_local.images.installed_rows import ROWS
from dryrun_local.machine.added_folders import MANIFESTS, READERS, TEMPLATES, sources
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import AllowlistError, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import (
    CollectorManifest,
    CollectorManifestsError,
    load_collector_manifests,
)

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
    allowed, own = _rows(installation.allowlist), _rows(home / ROWS, missing={})
    taken = sources(installation, MANIFESTS).get(f"{name}.yml")
    if taken is not None and taken.parent != home / MANIFESTS:
        raise ScannerRefusedError(f"the name {name} is another collector's already ({taken})")
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
    _write_rows(home / ROWS, own | {image: dict(row)})
    _write_rows(installation.allowlist, rows)
    write_atomically(home / MANIFESTS / f"{name}.yml", text)
    needs = "network, " if manifest.needs else ""
    trial = _TRIAL.format(name=name, collectors=f"{needs}{name}")
    write_atomically(home / TEMPLATES / f"{trial_template(name)}.yml", trial)
    return manifest


def remove(installation: Installation, name: str) -> str:
    """Uninstall a scanner; return its image, which stays in the engine. Raises ScannerRefusedError."""
    home = installation.scanners
    path = home / MANIFESTS / f"{name}.yml"
    if not path.is_file():
        known = sorted(each.stem for each in (home / MANIFESTS).glob("*.yml"))
        raise ScannerRefusedError(f"no scanner {name} was added; added are: {', '.join(known) or 'none'}")
    manifests = load_collector_manifests(installation.manifests, load_allowlist(installation.allowlist))
    image = manifests.by_name[name].image.name
    path.unlink()
    (home / TEMPLATES / f"{trial_template(name)}.yml").unlink(missing_ok=True)
    others = {each.image.name for each in manifests.by_name.values() if each.name != name}
    if image not in others:
        for place in (home / ROWS, installation.allowlist):
            _write_rows(place, {key: row for key, row in _rows(place).items() if key != image})
    return image


def _checked(
    installation: Installation, draft: Path, name: str, text: str, rows: Mapping[str, Any]
) -> CollectorManifest:
    folder = draft / MANIFESTS
    (folder / READERS).mkdir(parents=True)
    for part, target in ((MANIFESTS, folder), (READERS, folder / READERS)):
        for path in sources(installation, part).values():
            shutil.copyfile(path, target / path.name)
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    _write_rows(draft / ROWS, rows)
    try:
        return load_collector_manifests(folder, load_allowlist(draft / ROWS)).by_name[name]
    except (AllowlistError, CollectorManifestsError) as error:
        said = str(error).replace(f"{draft}{os.sep}", "")
        if all(fault.where.startswith(f"{MANIFESTS}/") for fault in error.faults) and not any(
            fault.where.startswith(f"{MANIFESTS}/{name}.yml") for fault in error.faults
        ):
            said += "\n  None of this is the scanner's: `dryrun-local images build` renews the allowlist"
        raise ScannerRefusedError(said) from None
    except KeyError:
        raise ScannerRefusedError(f"the manifest's name is not {name}") from None


def _rows(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        images: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["images"]
    except (OSError, ValueError, KeyError, TypeError):
        if missing is not None:
            return missing
        raise ScannerRefusedError(
            f"{path} is missing or damaged; `dryrun-local images build` writes it"
        ) from None
    return images


def _write_rows(path: Path, rows: Mapping[str, Any]) -> None:
    content = {"version": ALLOWLIST_VERSION, "images": dict(sorted(rows.items()))}
    write_atomically(path, json.dumps(content, indent=2) + "\n")
