"""Which images sessions of some templates start: found from the files alone, before anything is built."""

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from dryrun_contract.experiment import ExperimentRequest
from dryrun_local.images.allowlist_rows import ROWS, installed_rows, write_rows
from dryrun_local.images.folder_build import BuiltImage, allowlist_entry
from dryrun_local.images.folders import ImageFolder, load_folders
from dryrun_local.machine.added_folders import MANIFESTS, READERS, TEMPLATES, sources, template_file
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import Allowlist, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests, load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template
from dryrun_orchestrator.settings import PROBE_IMAGE


class UnknownTemplateError(LocalError):
    """No file describes a template, or it is invalid; the message has every fault."""


def for_experiment(installation: Installation, request: ExperimentRequest) -> Installation:
    """Return the installation with the collectors that the experiment may run, and no others.

    A template's own are among them, or it would be invalid. Where a manifest's file has another name than its
    collector, all are. Raises UnknownTemplateError and ManifestError as `images_of` does.
    """
    allowlist, manifests = _drafts(installation)
    names = {name for chosen in request.collectors.values() for name in chosen}
    for template in request.templates:
        names.update(each.name for each in _loaded(installation, template, allowlist, manifests).collectors)
    files = {path.stem for path in sources(installation, MANIFESTS).values()}
    return replace(installation, collectors=frozenset(names)) if names <= files else installation


def images_of(installation: Installation, templates: Iterable[str], seeds: Collection[int]) -> frozenset[str]:
    """Return what sessions of `templates` start, with the images of every collector of the installation.

    An imported network's stand-ins are not among them: they come with it. Raises UnknownTemplateError, and
    ManifestError for invalid image folders.
    """
    allowlist, manifests = _drafts(installation)
    needed = {PROBE_IMAGE}
    # An added scanner's image was never built here.
    folders = load_folders(installation.root, added=installation.added)
    built = {folder.manifest.image for folder in folders.values()}
    needed.update({each.image.name for each in manifests.by_name.values()} & built)
    for template in templates:
        if _is_imported(installation, template):
            continue
        loaded = _loaded(installation, template, allowlist, manifests)
        for seed in seeds:
            needed.update(service.image.name for service in loaded.file.with_seed(seed).services)
    return frozenset(needed)


def _drafts(installation: Installation) -> tuple[Allowlist, CollectorManifests]:
    """Return the allowlist that a build would write, and the manifests by it."""
    folders = load_folders(installation.root, added=installation.added)
    with tempfile.TemporaryDirectory(prefix="dryrun-needed-") as name:
        draft = Path(name)
        (draft / READERS).mkdir()
        for part, target in ((MANIFESTS, draft), (READERS, draft / READERS)):
            for file, path in sources(installation, part).items():
                shutil.copyfile(path, target / file)
        try:
            allowlist = draft_allowlist(folders, installation.state)
            return allowlist, load_collector_manifests(draft, allowlist)
        except OperatorFileError as error:
            raise UnknownTemplateError(f"{error}\n`dryrun-local check` shows every fault") from error


def _is_imported(installation: Installation, template: str) -> bool:
    """Whether it is a part of an imported network, not of the project or an added folder."""
    is_own = f"{template}.yml" in sources(installation, TEMPLATES)
    return not is_own and (installation.replica_templates / f"{template}.yml").is_file()


def _loaded(
    installation: Installation, template: str, allowlist: Allowlist, manifests: CollectorManifests
) -> LoadedTemplate:
    path = template_file(installation, template)
    if path is None:
        imported = (file.name for file in installation.replica_templates.glob("*.yml"))
        names = {name.removesuffix(".yml") for name in (*sources(installation, TEMPLATES), *imported)}
        known = ", ".join(sorted(names))
        raise UnknownTemplateError(
            f"there is no template {template}; there are {known}, and those of folders given by --add"
        )
    try:
        return load_template(path, allowlist, manifests)
    except TemplateInvalidError as error:
        faults = (f"{fault.where}: {fault.what}" for fault in error.faults)
        raise UnknownTemplateError("\n".join(faults)) from error


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
        path = Path(name) / ROWS
        write_rows(path, rows)
        return load_allowlist(path)
