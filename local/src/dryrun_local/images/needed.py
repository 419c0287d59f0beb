"""Which images sessions of some templates start: found from the files alone, before anything is built."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from dryrun_local.images.building import ALLOWLIST_VERSION
from dryrun_local.images.folder_build import BuiltImage, allowlist_entry
from dryrun_local.images.installed_rows import installed_rows
from dryrun_local.images.manifest import ImageFolder, load_folders
from dryrun_local.machine.added_folders import MANIFESTS, READERS, TEMPLATES, sources
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import Allowlist, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template
from dryrun_orchestrator.settings import PROBE_IMAGE


class UnknownTemplateError(LocalError):
    """No file describes a template, or it is invalid; the message has every fault."""


def images_of(installation: Installation, templates: Iterable[str], seeds: Collection[int]) -> frozenset[str]:
    """Return what sessions of `templates` start, with the images of every installed collector.

    An imported network's stand-ins are not among them: they come with it. Raises UnknownTemplateError, and
    ManifestError for invalid image folders.
    """
    folders = load_folders(installation.root, added=installation.added)
    files = sources(installation, TEMPLATES)
    needed = {PROBE_IMAGE}
    with tempfile.TemporaryDirectory(prefix="dryrun-needed-") as name:
        draft = Path(name)
        (draft / READERS).mkdir()
        for part, target in ((MANIFESTS, draft), (READERS, draft / READERS)):
            for file, path in sources(installation, part).items():
                shutil.copyfile(path, target / file)
        try:
            allowlist = draft_allowlist(folders, installation.state)
            manifests = load_collector_manifests(draft, allowlist)
        except OperatorFileError as error:
            raise UnknownTemplateError(f"{error}\n`dryrun-local check` shows every fault") from error
        # An added scanner's image was never built here.
        built = {folder.manifest.image for folder in folders.values()}
        needed.update({each.image.name for each in manifests.by_name.values()} & built)
        for template in templates:
            path = files.get(f"{template}.yml", installation.replica_templates / f"{template}.yml")
            if path.parent == installation.replica_templates and path.is_file():
                continue
            if not path.is_file():
                known = ", ".join(sorted(name.removesuffix(".yml") for name in files))
                raise UnknownTemplateError(
                    f"there is no template {template}; there are {known}, and those of folders given by --add"
                )
            try:
                loaded = load_template(path, allowlist, manifests)
            except TemplateInvalidError as error:
                faults = (f"{fault.where}: {fault.what}" for fault in error.faults)
                raise UnknownTemplateError("\n".join(faults)) from error
            for seed in seeds:
                needed.update(service.image.name for service in loaded.file.with_seed(seed).services)
    return frozenset(needed)


def draft_allowlist(folders: Mapping[str, ImageFolder], state: Path) -> Allowlist:
    """Return the allowlist that a build would write, with made-up ids and facts. Raises OperatorFileError."""
    rows = installed_rows(state)
    for folder in folders.values():
        manifest = folder.manifest
        if manifest.allowlisted:
            made_up = f"sha256:{hashlib.sha256(manifest.image.encode()).hexdigest()}"
            image = BuiltImage(made_up, 0, "", ())
            rows[manifest.image] = allowlist_entry(manifest, image, dict.fromkeys(manifest.facts, "0"))
    with tempfile.TemporaryDirectory(prefix="dryrun-draft-") as name:
        path = Path(name) / "allowlist.json"
        path.write_text(json.dumps({"version": ALLOWLIST_VERSION, "images": rows}), encoding="utf-8")
        return load_allowlist(path)
