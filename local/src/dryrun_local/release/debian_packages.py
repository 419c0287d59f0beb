"""The Debian packages of built images, from the dpkg database inside each image. Nothing is started."""

import asyncio
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import inspect_images
from dryrun_local.images.folders import ImageFolder
from dryrun_local.images.programs import ProgramError, capture
from dryrun_local.machine.errors import LocalError

_AT_ONCE = 4
_STATUS = "/var/lib/dpkg/status"
_RELEASE = "/usr/lib/os-release"


class ImagesNotCurrentError(LocalError):
    """Images are missing, or were built from other files than the commit's; the text names them."""


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """An installed package. `source` is the source package, under which Debian publishes its advisories."""

    name: str
    version: str
    architecture: str
    source: str


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image with what is installed in it. `distribution` as in `debian-13`."""

    id: str
    distribution: str
    packages: tuple[DebianPackage, ...]


async def read_images(folders: Mapping[str, ImageFolder], root: Path) -> dict[str, ReadImage]:
    """Return every image by its folder's name.

    Raises ImagesNotCurrentError when an image is not what its folder builds, ProgramError when the engine
    does not answer as expected.
    """
    digests = folder_digests(folders, root)
    present = await inspect_images(folder.manifest.image for folder in folders.values())
    stale = []
    for name, folder in folders.items():
        found = present.get(folder.manifest.image)
        if found is None or found.digest != digests[name]:
            stale.append(f"{folder.manifest.image} ({'missing' if found is None else 'outdated'})")
    if stale:
        raise ImagesNotCurrentError(
            f"images are not what this commit builds: {', '.join(stale)}; "
            "run dryrun-local images build and dryrun-local images services"
        )
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(folder: ImageFolder) -> ReadImage:
        async with slots:
            return await read_image(present[folder.manifest.image].id)

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(read(folder)) for name, folder in folders.items()}
    return {name: task.result() for name, task in tasks.items()}


async def read_image(image_id: str) -> ReadImage:
    """Copy the dpkg database out of a container that is created and never started."""
    # A command, because images without one cannot be created; never pulled, never connected.
    container = (
        await _docker("create", "--pull=never", "--network=none", image_id, "/nothing-is-started")
    ).strip()
    try:
        with tempfile.TemporaryDirectory(prefix="dryrun-packages-") as scratch:
            status, release = Path(scratch) / "status", Path(scratch) / "os-release"
            await _docker("cp", "--follow-link", f"{container}:{_STATUS}", str(status))
            await _docker("cp", "--follow-link", f"{container}:{_RELEASE}", str(release))
            return ReadImage(
                image_id,
                distribution_of(release.read_text(encoding="utf-8")),
                installed_packages(status.read_text(encoding="utf-8")),
            )
    finally:
        await _docker("rm", "--volumes", container)


def installed_packages(status: str) -> tuple[DebianPackage, ...]:
    """Return the installed packages of a dpkg status file (deb822 paragraphs, dpkg(1)), by name."""
    found = []
    for paragraph in re.split(r"\n{2,}", status.strip()):
        fields: dict[str, str] = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").split()[-1:] != ["installed"]:
            continue
        name = fields["Package"]
        # `Source: gcc-14 (14.2.0-19)`; without the field, package and source have one name.
        source = fields.get("Source", name).split()[0]
        found.append(DebianPackage(name, fields["Version"], fields["Architecture"], source))
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))


def distribution_of(release: str) -> str:
    """Return ID and VERSION_ID of an os-release file, as in `debian-13`."""
    fields = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', release, re.MULTILINE))
    return "-".join(fields[key] for key in ("ID", "VERSION_ID") if key in fields)


async def _docker(*arguments: str) -> str:
    code, output, error = await capture(["docker", *arguments])
    if code:
        raise ProgramError(f"docker {arguments[0]} failed: {error.strip()}")
    return output
