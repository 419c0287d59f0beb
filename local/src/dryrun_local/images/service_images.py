"""Builds the services' own images (`deploy/images/`), on the same base as the simulated servers."""

import time
from collections.abc import Callable
from pathlib import Path

from dryrun_local.images.building import ImageEvent
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import build_folder, inspect_images
from dryrun_local.images.manifest import SERVICE_IMAGES, TEST_IMAGES, ImageFolder, load_folders


async def build_service_images(
    root: Path, logs: Path, on_event: Callable[[ImageEvent], None] = lambda _: None
) -> None:
    """Build what changed, parents first. The allowlist lists none of them: no session can start one.

    Raises ManifestError before anything is built, ProgramError with the end of a build's log.
    """
    folders = load_folders(root, (TEST_IMAGES, SERVICE_IMAGES))
    digests = folder_digests(folders, root)
    wanted = _with_parents(folders, root / SERVICE_IMAGES)
    present = await inspect_images(folder.manifest.image for folder in wanted)
    for folder in wanted:
        image, begun = folder.manifest.image, time.monotonic()
        found = present.get(image)
        if found is not None and found.digest == digests[folder.name]:
            on_event(ImageEvent(folder.name, image, "unchanged"))
            continue
        on_event(ImageEvent(folder.name, image, "building"))
        log = logs / f"image-{folder.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        await build_folder(folder, digests[folder.name], root, log, force=False)
        built = (await inspect_images([image]))[image]
        on_event(ImageEvent(folder.name, image, "built", time.monotonic() - begun, built.size))


def _with_parents(folders: dict[str, ImageFolder], place: Path) -> list[ImageFolder]:
    """Return the folders in `place` and their parents, in build order."""
    wanted = {name for name, folder in folders.items() if folder.path.parent == place}
    for name in reversed(folders):
        if name in wanted:
            wanted.update(folders[name].manifest.parents)
    return [folder for name, folder in folders.items() if name in wanted]
