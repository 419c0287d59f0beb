"""What a network's bundle holds, read as the hostile file that it is: all is compared before any is used.

A bundle is an archive (`images.archive`) of kind `network`: `replica.json`, `allowlist.json`,
`templates/ID.yml` and `recipes/NAME.yml` for people, and the contents of images. Templates are written anew
from the plan, so that nothing else gets into one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_contract.faults import first_fault
from dryrun_contract.text import printable
from dryrun_local.images.archive import Archive, ArchiveBounds, ArchiveError
from dryrun_local.images.stored_images import ImageEntry, StoredImage, place_of, read_config
from dryrun_local.replicas.installed import MAX_CARD_BYTES
from dryrun_orchestrator.catalog.allowlist import STAND_IN
from dryrun_replica.planning.plan import Plan, ReplicaName, template_ids
from dryrun_replica.planning.template import template_text
from dryrun_replica.recipes.model import Capability

CARD: Final = "replica.json"
ROWS: Final = "allowlist.json"
TEMPLATES: Final = "templates/"
RECIPES: Final = "recipes/"
BLOBS: Final = "blobs/sha256/"
BOUNDS: Final = ArchiveBounds(files=6_000, file_size=8 * 1024**3 - 1, total=64 * 1024**3)
_MOST_IMAGES: Final = 600
_TEXT_BYTES: Final = 256 * 1024
"""Largest template, and largest recipe."""
_CARD: Final = JsonBounds(size=MAX_CARD_BYTES, values=1_000_000, depth=24, key_length=200)
_ROWS: Final = JsonBounds(size=4 * 1024 * 1024, values=500_000, depth=16, key_length=400)
_IMAGE: Final = rf"^{STAND_IN}[0-9a-f]{{16}}$"
_IMAGE_NAME: Final = re.compile(r"discovery/test-[a-z0-9-]{1,80}:[A-Za-z0-9._-]{1,128}")


class _About(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ReplicaName
    images: dict[Annotated[str, Field(pattern=_IMAGE)], ImageEntry] = Field(max_length=_MOST_IMAGES)


class _Mount(BaseModel):
    """A tmpfs, with every option: a verification starts the image with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    uid: int
    gid: int
    mode: str


class _Row(BaseModel):
    """The part of a row that decides about rights; the allowlist's own reader judges all of it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    capabilities: tuple[Capability, ...] = ()
    read_only: Literal[True] = True
    environment: tuple[()] = ()
    tmpfs: dict[str, _Mount] = Field(default_factory=dict, max_length=20)
    ground_truth: tuple[JsonValue, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every part but the images' contents was read and found to fit together."""

    name: str
    card: Mapping[str, Any]
    plan: Plan
    rows: Mapping[str, Mapping[str, Any]]
    templates: Mapping[str, str]
    """Written from the plan; those of the file are only compared by name."""
    images: Mapping[str, StoredImage]
    recipes: int
    missing: frozenset[str]
    """Layers that it was made without: the engine has to have them."""

    @property
    def hosts_images(self) -> frozenset[str]:
        """Images that its hosts stand on, also those that every installation has."""
        return frozenset(map(str, self.card["images"].values()))


def read_bundle(archive: Archive, path: Path) -> Bundle:
    """Return what an open archive holds. Raises ArchiveError; none of it is used then."""
    about = _validated(_About, archive.about, f"{path}: about")
    strange = [name for name in archive.files if not _belongs(name)]
    if strange:
        raise ArchiveError(f"{path} has {strange[0]}, which is not part of a network")
    card = _json(archive, path, CARD, _CARD)
    if not isinstance(card, dict):
        raise ArchiveError(f"{path}: {CARD} is not the card of a network")
    card = dict(card)
    card.pop("installed_at", None)
    plan = _validated(Plan, card.get("plan"), f"{path}: {CARD}: plan")
    ids = [each.id for each in plan.templates]
    hosts = card.get("images")
    if plan.name != about.name or not isinstance(hosts, dict) or card.get("templates") != ids:
        raise ArchiveError(f"{path}: {CARD} is not about {about.name}, or lacks a part")
    listed = [name for name in archive.files if name.startswith(TEMPLATES)]
    known = template_ids(plan.name, len(ids)), template_ids(plan.name, len(ids), 1)
    if ids not in known or sorted(listed) != sorted(f"{TEMPLATES}{each}.yml" for each in ids):
        raise ArchiveError(f"{path} does not have exactly the templates of its plan")
    recipes = [name for name in archive.files if name.startswith(RECIPES)]
    for name in (*listed, *recipes):
        archive.read(name, _TEXT_BYTES)
    of_hosts = {str(host): str(image) for host, image in hosts.items()}
    chosen = {host for each in plan.templates for one in each.sample.chosen for host in one.hosts}
    if not chosen <= of_hosts.keys() or not all(_IMAGE_NAME.fullmatch(each) for each in of_hosts.values()):
        raise ArchiveError(f"{path}: {CARD} does not say on which image each host stands")
    rows = _rows(archive, path)
    images = {name: read_config(archive, path, name, entry) for name, entry in about.images.items()}
    if rows.keys() != images.keys() or any(rows[name]["id"] != images[name].id for name in rows):
        raise ArchiveError(f"{path}: the rows of {ROWS} are not those of its images")
    unlisted = {str(image) for image in hosts.values() if str(image).startswith(STAND_IN)} - images.keys()
    if unlisted:
        raise ArchiveError(f"{path}: hosts stand on {min(unlisted)}, which it does not have")
    with_volumes = [name for name, image in images.items() if image.volumes]
    if with_volumes:
        raise ArchiveError(f"{path}: {with_volumes[0]} declares VOLUME; no image of a template may")
    return Bundle(
        name=about.name,
        card=card,
        plan=plan,
        rows=rows,
        templates={each.id: template_text(plan, each, of_hosts) for each in plan.templates},
        images=images,
        recipes=len(recipes),
        missing=_missing(archive, path, images),
    )


def _missing(archive: Archive, path: Path, images: Mapping[str, StoredImage]) -> frozenset[str]:
    needed = {blob for image in images.values() for blob in image.blobs}
    places = {place_of(blob): blob for blob in needed}
    blobs = {name for name in archive.files if name.startswith(BLOBS)}
    if blobs - places.keys():
        raise ArchiveError(f"{path} has contents that none of its images has; export it again")
    for name in blobs:
        if not name.endswith(archive.files[name].sha256):
            raise ArchiveError(f"{path}: {name} has another SHA-256 than its name says; export it again")
    return frozenset(blob for place, blob in places.items() if place not in blobs)


def _belongs(name: str) -> bool:
    if name in {CARD, ROWS}:
        return True
    folder, _, file = name.rpartition("/")
    return (f"{folder}/" in {TEMPLATES, RECIPES} and file.endswith(".yml")) or f"{folder}/" == BLOBS


def _rows(archive: Archive, path: Path) -> dict[str, Mapping[str, Any]]:
    content = _json(archive, path, ROWS, _ROWS)
    rows = content.get("images") if isinstance(content, dict) else None
    if not isinstance(rows, dict) or len(rows) > _MOST_IMAGES:
        raise ArchiveError(f"{path}: {ROWS} has no rows of images")
    for name, row in rows.items():
        _validated(_Row, row, f"{path}: {ROWS}: {printable(name, limit=80)}")
    return {name: row for name, row in rows.items() if isinstance(row, dict)}


def _json(archive: Archive, path: Path, name: str, bounds: JsonBounds) -> JsonValue:
    try:
        return read_json(archive.read(name, bounds.size), bounds)
    except (OutOfBoundsError, ValueError) as error:
        raise ArchiveError(f"{path}: {name} is {error}") from None


def _validated[Model: BaseModel](model: type[Model], value: object, where: str) -> Model:
    try:
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise ArchiveError(f"{where}: {first_fault(error, 'the whole')}") from None
