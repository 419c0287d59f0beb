"""Carries an installed network to another deployment: export on one machine, import on another.

An operator's act on the machine that builds images, as a build is: no service runs it, and no request leads
to it. The engine is given nothing before every byte was compared with the images' own ids, and nothing is
installed before every new stand-in was verified from inside on this engine.
"""

import asyncio
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from dryrun_contract.text import counted, printable
from dryrun_local.images import programs
from dryrun_local.images.allowlist_rows import require_rows
from dryrun_local.images.archive import (
    INDEX,
    Archive,
    ArchiveError,
    ArchiveWriter,
    first_name,
    opened_archive,
    written_archive,
)
from dryrun_local.images.exchange import load_images
from dryrun_local.images.folder_build import BuiltImage, inspect_images
from dryrun_local.images.programs import ProgramError
from dryrun_local.images.stored_images import BLOBS, StoredImage, copy_blobs
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.replicas.bundle import BOUNDS, CARD, RECIPES, ROWS, TEMPLATES, Bundle, read_bundle
from dryrun_local.replicas.condition import require_files
from dryrun_local.replicas.installed import (
    Replica,
    ReplicaError,
    find,
    installed_as,
    plan_of,
    require_free_name,
    require_free_templates,
)
from dryrun_local.replicas.installing import install, judge_rows, judge_templates, note_deployment
from dryrun_local.replicas.needed_images import pinned_images
from dryrun_local.replicas.replacing import note_replaced, replaced, require_same_network
from dryrun_local.replicas.shared_root import RECIPES as RECIPE_FOLDER
from dryrun_local.replicas.verification import verify_new
from dryrun_local.terminal.screen import Screen

_SECONDS: Final = 1800.0
_LAYERS_FILE_BYTES: Final = 4 * 1024 * 1024
_ROWS_VERSION: Final = 1


def is_bundle(files: tuple[Path, ...]) -> bool:
    """Return whether this is one file that begins as an archive of dryrun-local does, and no other tar."""
    first = first_name(files[0]) if len(files) == 1 else None
    return first is not None and (first in {CARD, INDEX} or first.startswith(BLOBS))


async def list_layers(screen: Screen) -> None:
    """Print the layers of this engine's images of dryrun-local, for `export --present`."""
    code, output, errors = await programs.capture(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=discovery/*"]
    )
    if code:
        raise ProgramError(f"the engine does not list images: {errors.strip()}")
    names = [name for name in output.split() if not name.endswith(":<none>")]
    found = await inspect_images(names) if names else {}
    for layer in sorted({layer for image in found.values() for layer in image.layers}):
        screen.say(layer)


async def export_network(
    installation: Installation, screen: Screen, name: str, path: Path, present: Path | None
) -> None:
    """Write a replica's bundle to `path`. Raises ReplicaError, ProgramError, ArchiveError.

    Layers that the file `present` lists (from `network layers` over there) are left out.
    """
    replica = find(installation, name)
    known = require_rows(installation.allowlist)
    require_files(installation, replica)
    rows = {image: known[image] for image in replica.images}
    images = await pinned_images(rows)
    wanted = {blob: image for image, built in images.items() for blob in (built.id, *built.layers)}
    for layer in _present(present):
        wanted.pop(layer, None)

    def store(source: BinaryIO | None) -> int:
        with written_archive(path, "network") as writer:
            _add_texts(installation, writer, replica, rows, images)
            return 0 if source is None else copy_blobs(source, writer, wanted)

    # By name: what the engine saves by id alone has another form.
    saving = ["docker", "save", *rows]
    with screen.busy(f"Writing {path}"):
        size = await programs.read_from(saving, store, seconds=_SECONDS) if rows else store(None)
        digest = await asyncio.to_thread(_sha256, path)
    left_out = f", {len(_present(present)):,} layers left out, which the other machine has" if present else ""
    screen.done(f"Replica {printable(name)}", f"{path}, {size / 1e6:,.0f} MB of images{left_out}")
    screen.say(f"sha256 {digest}")


def _add_texts(
    installation: Installation,
    writer: ArchiveWriter,
    replica: Replica,
    rows: Mapping[str, Mapping[str, Any]],
    images: Mapping[str, BuiltImage],
) -> None:
    writer.about = {
        "name": replica.name,
        "images": {image: {"id": images[image].id, "facts": {}} for image in rows},
    }
    card = {name: value for name, value in replica.card.items() if name != "installed_at"}
    texts = {
        CARD: json.dumps(card, indent=1, sort_keys=True),
        ROWS: json.dumps({"version": _ROWS_VERSION, "images": rows}, indent=1, sort_keys=True),
    }
    for template in replica.templates:
        file = installation.replica_templates / f"{template}.yml"
        texts[f"{TEMPLATES}{template}.yml"] = file.read_text(encoding="utf-8")
    names = {service.match.recipe for each in plan_of(replica).classes for service in each.services}
    for recipe in sorted(name for name in names if name):
        file = installation.root / RECIPE_FOLDER / f"{recipe}.yml"
        if file.is_file():
            texts[f"{RECIPES}{recipe}.yml"] = file.read_text(encoding="utf-8")
    for name, text in texts.items():
        content = text.encode()
        writer.add(name, io.BytesIO(content), len(content))


def _present(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    try:
        with path.open("rb") as file:
            text = file.read(_LAYERS_FILE_BYTES + 1)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(text) > _LAYERS_FILE_BYTES:
        raise ArchiveError(f"{path} is not a list of layers: it is too long")
    return frozenset(text.decode("utf-8", "replace").split())


async def import_bundle(
    installation: Installation, screen: Screen, path: Path, *, sha256: str | None, replace: bool = False
) -> None:
    """Load, verify and install the network in a bundle.

    `replace`: also where its name is another network's.

    Raises ArchiveError for a file that is not as its index, its images' ids or `sha256` say; ReplicaError,
    ProgramError, UntrueError. Nothing is installed then.
    """
    with held(installation, IMAGES), opened_archive(path, "network", BOUNDS) as archive:
        if sha256 is not None and await asyncio.to_thread(archive.sha256) != sha256.strip().lower():
            raise ArchiveError(f"{path} has another SHA-256 than the given one; none of it was used")
        bundle = read_bundle(archive, path)
        require_free_name(installation, bundle.name)
        require_free_templates(installation, bundle.name, bundle.templates)
        require_same_network(installation, bundle.plan, replace=replace, is_bundle=True)
        before = replaced(installation, bundle.plan)
        known = require_rows(installation.allowlist)
        screen.say(
            f"Replica {printable(bundle.name)}: {counted(bundle.plan.hosts, 'host')}, "
            f"{counted(len(bundle.templates), 'template')}, {counted(len(bundle.images), 'image')}, "
            f"{counted(bundle.recipes, 'recipe')}"
        )
        if lacking := sorted(bundle.hosts_images - bundle.images.keys() - known.keys()):
            raise ReplicaError(
                f"hosts stand on {printable(lacking[0])}, which the allowlist lacks; build the images first"
            )
        # Before a verification starts anything with the rights that they grant.
        judge_rows(installation, bundle.rows)
        rows, wanted = await _choose(bundle, known)
        judge_templates(installation, bundle.templates, rows)
        await _load(archive, path, screen, bundle, wanted)
        try:
            await verify_new(installation, screen, rows, known)
            install(installation, bundle.name, templates=bundle.templates, rows=rows, card=bundle.card)
        except BaseException:
            await _unload(wanted)
            raise
    screen.done(f"Replica {printable(bundle.name)}", installed_as(tuple(bundle.templates)))
    note_replaced(screen, before)
    note_deployment(screen, installation)


async def _choose(
    bundle: Bundle, known: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, StoredImage]]:
    """Return the row of each image, of what is pinned here its own, and the images that the engine lacks."""
    present = await inspect_images(bundle.images) if bundle.images else {}
    wanted: dict[str, StoredImage] = {}
    rows: dict[str, Mapping[str, Any]] = {}
    for name, image in bundle.images.items():
        here = present.get(name)
        if here is not None and known.get(name, {}).get("id") == here.id:
            # The same content built here: its name is made of it, and others may stand on it.
            rows[name] = known[name]
        elif here is not None and here.id != image.id:
            raise ReplicaError(
                f"the engine has another {name}, which nothing here pins; remove it with docker image rm"
            )
        else:
            # A row that was verified here holds for the same content.
            is_pinned = known.get(name, {}).get("id") == image.id
            rows[name] = known[name] if is_pinned else bundle.rows[name]
            if here is None:
                wanted[name] = image
    return rows, wanted


async def _load(
    archive: Archive, path: Path, screen: Screen, bundle: Bundle, wanted: Mapping[str, StoredImage]
) -> None:
    """Give the engine the images that it lacks, all of them or none."""
    try:
        await load_images(archive, wanted, screen.say)
    except BaseException as error:
        await _unload(wanted)
        if not isinstance(error, ProgramError) or not bundle.missing:
            raise
        raise ProgramError(
            f"{error}\n{path} was made without {len(bundle.missing)} layers that this engine was said to "
            "have; export it again without --present"
        ) from error


async def _unload(images: Mapping[str, StoredImage]) -> None:
    """Remove what was loaded and not installed: a build would take a stand-in of this name for its own."""
    if images:
        await programs.capture(["docker", "image", "rm", *images])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
