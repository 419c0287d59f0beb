"""Builds the services' own images (`deploy/images/`), on the same base as the simulated servers."""

import time
from collections.abc import Callable
from pathlib import Path

from dryrun_local.images.building import ImageEvent, based_on
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import build_folder, inspect_images
from dryrun_local.images.manifest import SERVICE_IMAGES, TEST_IMAGES, load_folders


async def build_service_images(
    root: Path, logs: Path, on_event: Callable[[ImageEvent], None] = lambda _: None
) -> None:
    """Build what changed, parents first. The allowlist lists none of them: no session can start one.

    Raises ManifestError before anything is built, ProgramError with the end of a build's log.
    """
    folders = load_folders(root, (TEST_IMAGES, SERVICE_IMAGES))
    digests = folder_digests(folders, root)
    own = {each.manifest.image for each in folders.values() if each.path.parent == root / SERVICE_IMAGES}
    wanted = based_on(folders, own).values()
    present = await inspect_images(folder.manifest.image for folder in wanted)
    outdated = []
    for folder in wanted:
        found = present.get(folder.manifest.image)
        if found is not None and found.digest == digests[folder.name]:
            on_event(ImageEvent(folder.name, folder.manifest.image, "unchanged"))
        else:
            outdated.append(folder)
    for number, folder in enumerate(outdated, 1):
        image, begun, of = folder.manifest.image, time.monotonic(), len(outdated)
        on_event(ImageEvent(folder.name, image, "building", number=number, of=of))
        log = logs / f"image-{folder.name}.log"
        built = await build_folder(folder, digests[folder.name], root, log)
        seconds = time.monotonic() - begun
        on_event(ImageEvent(folder.name, image, "built", seconds, built.size, number=number, of=of))
