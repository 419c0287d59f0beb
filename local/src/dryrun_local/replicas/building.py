"""Builds the stand-ins of a network, those that do not exist yet, and returns their rows of the allowlist."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dryrun_local.images.building import ImageEvent
from dryrun_local.images.folder_build import BuiltImage, allowlist_entry, build_folder, inspect_images
from dryrun_local.images.folders import ImageFolder
from dryrun_local.images.manifest import Manifest, Tmpfs
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.needed_images import is_missing
from dryrun_local.replicas.shared_root import write_files
from dryrun_replica.building.folder import StandIn

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class BuiltStandIn:
    """One image with its row of the allowlist."""

    image: str
    id: str
    row: Mapping[str, object]


async def build_stand_ins(
    installation: Installation, stand_ins: Iterable[StandIn], on_event: Callable[[ImageEvent], None]
) -> dict[str, BuiltStandIn]:
    """Build each stand-in once, two at a time, and return them by image. Raises ProgramError."""
    wanted = {stand_in.image: stand_in for stand_in in stand_ins}
    present = await inspect_images(wanted) if wanted else {}
    missing = [image for image in wanted if is_missing(wanted[image], present.get(image))]
    slots = asyncio.Semaphore(_AT_ONCE)
    begun = 0

    async def build(image: str) -> None:
        nonlocal begun
        async with slots:
            begun += 1
            number, started = begun, time.monotonic()
            on_event(ImageEvent(image, image, "building", number=number, of=len(missing)))
            try:
                built = await _build(installation, wanted[image])
            except ProgramError as error:
                on_event(ImageEvent(image, image, "failed", detail=str(error)))
                raise
            present[image] = built
            seconds = time.monotonic() - started
            on_event(ImageEvent(image, image, "built", seconds, built.size, number=number, of=len(missing)))

    for image in wanted.keys() - set(missing):
        on_event(ImageEvent(image, image, "unchanged"))
    try:
        async with asyncio.TaskGroup() as group:
            for image in missing:
                group.create_task(build(image))
    except* ProgramError as errors:
        raise ProgramError("\n".join(map(str, errors.exceptions))) from None
    return {image: _built(wanted[image], present[image]) for image in wanted}


async def _build(installation: Installation, stand_in: StandIn) -> BuiltImage:
    log = installation.logs / f"image-{stand_in.image.rpartition('/')[2].replace(':', '-')}.log"
    with tempfile.TemporaryDirectory(prefix="dryrun-stand-in-") as name:
        write_files(Path(name), stand_in.files)
        folder = ImageFolder(stand_in.image, Path(name), _manifest(stand_in))
        return await build_folder(folder, stand_in.digest, installation.root, log)


def _built(stand_in: StandIn, image: BuiltImage) -> BuiltStandIn:
    if image.volumes:
        raise ProgramError(f"{stand_in.image} declares VOLUME {' '.join(image.volumes)}")
    return BuiltStandIn(stand_in.image, image.id, allowlist_entry(_manifest(stand_in), image, {}))


def _manifest(stand_in: StandIn) -> Manifest:
    return Manifest(
        image=stand_in.image,
        summary="A stand-in for a class of hosts.",
        capabilities=stand_in.capabilities,
        tmpfs={path: Tmpfs.model_validate(mount) for path, mount in stand_in.tmpfs.items()},
        ground_truth=tuple(stand_in.ground_truth),
        log_patterns=stand_in.log_patterns,
    )
