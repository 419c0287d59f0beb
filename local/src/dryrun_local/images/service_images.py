"""Builds the services' own images (`deploy/images/`), on the same base as the simulated servers."""

from collections.abc import Callable
from pathlib import Path

from dryrun_local.images.building import FolderBuilds, ImageEvent, based_on
from dryrun_local.images.folders import SERVICE_IMAGES, TEST_IMAGES, load_folders


async def build_service_images(
    root: Path, logs: Path, on_event: Callable[[ImageEvent], None] = lambda _: None
) -> None:
    """Build what changed, parents first. The allowlist lists none of them: no session can start one.

    Raises ManifestError before anything is built, ProgramError without an engine, ImageBuildError once
    everything else is built.
    """
    folders = load_folders(root, (TEST_IMAGES, SERVICE_IMAGES))
    own = {each.manifest.image for each in folders.values() if each.path.parent == root / SERVICE_IMAGES}
    await FolderBuilds(root, logs, folders, based_on(folders, own), on_event=on_event).run()
