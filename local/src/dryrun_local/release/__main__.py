"""`make release VERSION=X.Y.Z`: wheels, bills of materials, notes and checksums of one commit."""

import argparse
import asyncio
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from dryrun_local.images.folders import SERVICE_IMAGES, TEST_IMAGES, load_folders
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_local.release.bills import bill_of_images, bill_of_services
from dryrun_local.release.debian_packages import read_images
from dryrun_local.release.source import export, read_source
from dryrun_local.release.wheels import build_wheels

SERVICES_BILL = "services.cdx.json"
IMAGES_BILL = "images.cdx.json"
NOTES = "CHANGES.md"
CHECKSUMS = "SHA256SUMS"


async def release(root: Path, version: str, log: Path) -> Path:
    """Write `dist/VERSION`, whole or not at all, and return its path.

    The same commit and the same images give the same bytes. Raises NotReleasableError before anything is
    built; ImagesNotCurrentError, ProgramError and ManifestError leave an earlier `dist/VERSION` as it is.
    """
    source = await read_source(root, version)
    folders = load_folders(root, (TEST_IMAGES, SERVICE_IMAGES))
    images = await read_images(folders, root)
    with tempfile.TemporaryDirectory(prefix="dryrun-release-") as scratch:
        tree, built = Path(scratch) / "tree", Path(scratch) / "built"
        built.mkdir()
        await export(root, source.commit, tree)
        wheels = await build_wheels(tree, built, log)
        services = bill_of_services(source, folders, wheels, tree)
        (built / SERVICES_BILL).write_text(services, encoding="utf-8")
        (built / IMAGES_BILL).write_text(
            bill_of_images(source, folders, images, wheels, tree), encoding="utf-8"
        )
        (built / NOTES).write_text(source.changes, encoding="utf-8")
        (built / CHECKSUMS).write_text(checksums(built), encoding="utf-8")
        target = root / "dist" / version
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(built, target)
    return target


def checksums(folder: Path) -> str:
    """Return one line for each file of a folder, as `sha256sum --check` reads them."""
    lines = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(folder.iterdir())
    )
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Run the command; exit code 1 with the reasons when the version cannot be released."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="X.Y.Z, as the distributions and a section of CHANGELOG.md have it")
    version = parser.parse_args().version
    try:
        here = Installation.here()
        here.prepare()
        log = here.logs / "release.log"
        log.unlink(missing_ok=True)
        target = asyncio.run(release(here.root, version, log))
    except LocalError as error:
        sys.exit(f"release: {error}")
    sys.stdout.write(f"{target}\nTo publish it: git tag --annotate v{version}\n")


if __name__ == "__main__":
    main()
