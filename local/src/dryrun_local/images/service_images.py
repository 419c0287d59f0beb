"""Builds the services' own images (`deploy/images/`), on the same base as the simulated servers."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from dryrun_local.images.building import AT_ONCE, ImageEvent, based_on
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import build_folder, inspect_images
from dryrun_local.images.manifest import SERVICE_IMAGES, TEST_IMAGES, ImageFolder, load_folders
from dryrun_local.images.programs import ProgramError


async def build_service_images(
    root: Path, logs: Path, on_event: Callable[[ImageEvent], None] = lambda _: None
) -> None:
    """Build what changed, parents first. The allowlist lists none of them: no session can start one.

    Raises ManifestError before anything is built, ProgramError with the end of a build's log.
    """
    folders = load_folders(root, (TEST_IMAGES, SERVICE_IMAGES))
    digests = folder_digests(folders, root)
    own = {each.manifest.image for each in folders.values() if each.path.parent == root / SERVICE_IMAGES}
    wanted = based_on(folders, own)
    present = await inspect_images(folder.manifest.image for folder in wanted.values())
    outdated = {
        name
        for name, folder in wanted.items()
        if (found := present.get(folder.manifest.image)) is None or found.digest != digests[name]
    }
    slots = asyncio.Semaphore(AT_ONCE)
    started = 0
    tasks: dict[str, asyncio.Task[None]] = {}

    async def build(folder: ImageFolder) -> None:
        nonlocal started
        for parent in folder.manifest.parents:
            await tasks[parent]
        name, image = folder.name, folder.manifest.image
        if name not in outdated:
            on_event(ImageEvent(name, image, "unchanged"))
            return
        async with slots:
            started += 1
            begun, number, of = time.monotonic(), started, len(outdated)
            on_event(ImageEvent(name, image, "building", number=number, of=of))
            built = await build_folder(folder, digests[name], root, logs / f"image-{name}.log")
            seconds = time.monotonic() - begun
            on_event(ImageEvent(name, image, "built", seconds, built.size, number=number, of=of))

    try:
        async with asyncio.TaskGroup() as group:
            tasks |= {name: group.create_task(build(folder)) for name, folder in wanted.items()}
    except* ProgramError as errors:
        raise errors.exceptions[0] from None
