"""Builds the images that sessions start, and writes the allowlist that pins them. Never at run time."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, override

from dryrun_local.images.allowlist_rows import installed_rows, rows_in, write_rows
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import (
    BuiltImage,
    allowlist_entry,
    build_folder,
    inspect_images,
    read_facts,
    refuse_volumes,
)
from dryrun_local.images.folders import ImageFolder, load_folders
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.errors import LocalError

_AT_ONCE = 2
"""Parallel builds: they wait for downloads and unpacking about as long as they compute."""

type ImageState = Literal["building", "unchanged", "built", "failed"]


@dataclass(frozen=True, slots=True)
class ImageEvent:
    """One step of progress. `seconds` since this image's build began; `size` in bytes once it is built."""

    folder: str
    image: str
    state: ImageState
    seconds: float = 0.0
    size: int | None = None
    detail: str = ""
    """For a failure: what failed, the last lines of its log and the log's path."""
    number: int = 0
    """Position among the images to build, in order of their start; from 1."""
    of: int = 0
    """Number of images to build."""


@dataclass(frozen=True, slots=True)
class ImageListing:
    """State of one image: `current`, `outdated` (its folder changed since) or `missing`."""

    folder: str
    image: str
    summary: str
    state: Literal["current", "outdated", "missing"]
    allowlisted: bool
    id: str | None = None
    size: int | None = None
    own_size: int | None = None
    """Bytes that it adds to its parent, whose layers are stored once."""


class ImageBuildError(LocalError):
    """At least one image failed; the message has the end of each log.

    `results` has the last event of each folder.
    """

    def __init__(self, results: list[ImageEvent]) -> None:
        self.results = results
        failed = [f"{result.image}: {result.detail}" for result in results if result.state == "failed"]
        super().__init__("\n".join(failed))


async def build_images(
    root: Path,
    allowlist: Path,
    *,
    added: Iterable[Path] = (),
    only: Collection[str] | None = None,
    force: bool = False,
    on_event: Callable[[ImageEvent], None] = lambda _: None,
) -> list[ImageEvent]:
    """Build what changed since its last build (with `force`: everything) and write the allowlist.

    With `only`, of the images of these names and what they are based on; others stay as they are.
    Returns the last event of each folder.

    `root` is the repository, `added` are folders with images of their own; logs go to `logs/` beside
    `allowlist`. Parents are built before images based on them, two folders at a time. Raises ManifestError
    before anything is built, ProgramError without an engine, ImageBuildError once everything
    else is built (the allowlist then lists what succeeded).
    """
    folders = load_folders(root, added=added)
    chosen = folders if only is None else based_on(folders, only)
    return await _PinnedBuilds(root, allowlist, folders, chosen, force=force, on_event=on_event).run()


def based_on(folders: Mapping[str, ImageFolder], images: Collection[str]) -> dict[str, ImageFolder]:
    """Return the folders that build `images`, with the folders that these are based on, in build order."""
    wanted: set[str] = set()
    for folder in reversed(list(folders.values())):
        if folder.manifest.image in images or folder.name in wanted:
            wanted |= {folder.name, *folder.manifest.parents}
    return {name: folder for name, folder in folders.items() if name in wanted}


async def list_images(root: Path, added: Iterable[Path] = ()) -> list[ImageListing]:
    """Return the state of every image folder. Raises ManifestError and ProgramError."""
    folders = load_folders(root, added=added)
    digests = folder_digests(folders, root)
    present = await inspect_images(folder.manifest.image for folder in folders.values())
    listings = []
    for folder in folders.values():
        manifest, image = folder.manifest, present.get(folder.manifest.image)
        listings.append(
            ImageListing(
                folder=folder.name,
                image=manifest.image,
                summary=manifest.summary,
                state=_state_of(image, digests[folder.name]),
                allowlisted=manifest.allowlisted,
                id=image.id if image else None,
                size=image.size if image else None,
                own_size=_own_size(folder, folders, present),
            )
        )
    return listings


def _own_size(
    folder: ImageFolder, folders: Mapping[str, ImageFolder], present: Mapping[str, BuiltImage]
) -> int | None:
    image = present.get(folder.manifest.image)
    if image is None:
        return None
    parents = [present.get(folders[name].manifest.image) for name in folder.manifest.parents]
    # With several parents, one is the base; files are copied from the others.
    sizes = [parent.size for parent in parents if parent is not None and parent.size <= image.size]
    return image.size - max(sizes, default=0)


class FolderBuilds:
    """One run over the chosen of all folders: parents first, some at a time."""

    def __init__(
        self,
        root: Path,
        logs: Path,
        folders: Mapping[str, ImageFolder],
        chosen: Mapping[str, ImageFolder],
        *,
        force: bool = False,
        on_event: Callable[[ImageEvent], None],
    ) -> None:
        self._root = root
        self._logs = logs
        self._folders = chosen
        self._force = force
        self._report = on_event
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._digests = folder_digests(folders, root)
        self._begun = self._outstanding = 0

    async def run(self) -> list[ImageEvent]:
        """Return the last event of each folder. Raises ImageBuildError once everything else is built."""
        present = await inspect_images(folder.manifest.image for folder in self._folders.values())
        self._outstanding = sum(self._has_changed(folder, present) for folder in self._folders.values())
        tasks: dict[str, asyncio.Task[ImageEvent]] = {}
        async with asyncio.TaskGroup() as group:
            for folder in self._folders.values():
                parents = {name: tasks[name] for name in folder.manifest.parents}
                tasks[folder.name] = group.create_task(self._step(folder, present, parents))
        self._finish()
        results = [task.result() for task in tasks.values()]
        if any(result.state == "failed" for result in results):
            raise ImageBuildError(results)
        return results

    async def _step(
        self,
        folder: ImageFolder,
        present: Mapping[str, BuiltImage],
        parents: Mapping[str, asyncio.Task[ImageEvent]],
    ) -> ImageEvent:
        image = folder.manifest.image
        begun, number = time.monotonic(), 0
        try:
            await _wait_for(parents)
            begun = time.monotonic()
            found = present.get(image)
            changed = self._has_changed(folder, present)
            if found is None or changed:
                async with self._slots:
                    begun = time.monotonic()
                    number = self._begun = self._begun + 1
                    self._report(
                        ImageEvent(folder.name, image, "building", number=number, of=self._outstanding)
                    )
                    found = await self._build(folder)
            await self._take(folder, found)
        except ProgramError as error:
            state: ImageState = "failed"
            found, detail = None, str(error)
        else:
            state, detail = "built" if changed else "unchanged", ""
        seconds = time.monotonic() - begun
        size = found.size if found else None
        ended = ImageEvent(folder.name, image, state, seconds, size, detail, number, self._outstanding)
        self._report(ended)
        return ended

    def _has_changed(self, folder: ImageFolder, present: Mapping[str, BuiltImage]) -> bool:
        found = present.get(folder.manifest.image)
        return self._force or found is None or found.digest != self._digests[folder.name]

    async def _build(self, folder: ImageFolder) -> BuiltImage:
        log = self._logs / f"image-{folder.name}.log"
        return await build_folder(folder, self._digests[folder.name], self._root, log, force=self._force)

    async def _take(self, folder: ImageFolder, image: BuiltImage) -> None:
        """Use an image that is there now. Raises ProgramError."""

    def _finish(self) -> None:
        """End the run, whatever failed."""


class _PinnedBuilds(FolderBuilds):
    """A run that writes the allowlist."""

    def __init__(
        self,
        root: Path,
        allowlist: Path,
        folders: Mapping[str, ImageFolder],
        chosen: Mapping[str, ImageFolder],
        *,
        force: bool,
        on_event: Callable[[ImageEvent], None],
    ) -> None:
        super().__init__(root, allowlist.parent / "logs", folders, chosen, force=force, on_event=on_event)
        self._allowlist = allowlist
        self._left_alone = [each.manifest.image for name, each in folders.items() if name not in chosen]
        self._known = pinned_rows(allowlist)
        self._entries: dict[str, dict[str, object]] = {}

    @override
    def _finish(self) -> None:
        kept = {image: self._known[image] for image in self._left_alone if image in self._known}
        write_rows(self._allowlist, installed_rows(self._allowlist.parent) | kept | self._entries)

    @override
    async def _take(self, folder: ImageFolder, image: BuiltImage) -> None:
        manifest = folder.manifest
        if not manifest.allowlisted:
            return
        if image.volumes:
            raise ProgramError(refuse_volumes(image.volumes))
        known = self._known.get(manifest.image, {})
        facts = known.get("facts") if known.get("id") == image.id else None
        if facts is None or facts.keys() != manifest.facts.keys():
            facts = await read_facts(image.id, manifest)
        self._entries[manifest.image] = allowlist_entry(manifest, image, facts)


def _state_of(image: BuiltImage | None, digest: str) -> Literal["current", "outdated", "missing"]:
    if image is None:
        return "missing"
    return "current" if image.digest == digest else "outdated"


async def _wait_for(parents: Mapping[str, asyncio.Task[ImageEvent]]) -> None:
    for name, parent in parents.items():
        if (await parent).state == "failed":
            raise ProgramError(f"not built, because its parent images/{name} failed")


def pinned_rows(allowlist: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the rows of the allowlist by image; none when there is no file that reads.

    A build writes a damaged one again: its content comes from the folders and the engine.
    """
    return rows_in(allowlist) or {}


def pin(allowlist: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write rows of the allowlist anew; all others stay."""
    write_rows(allowlist, {**installed_rows(allowlist.parent), **pinned_rows(allowlist), **rows})
