"""Which Debian packages an image holds."""

import asyncio
import subprocess

import pytest

from dryrun_local.images.folder_build import inspect_images
from dryrun_local.images.folders import load_folders
from dryrun_local.release.debian_packages import (
    DebianPackage,
    ImagesNotCurrentError,
    distribution_of,
    installed_packages,
    read_image,
    read_images,
)

STATUS = """\
Package: libstdc++6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: gcc-14 (14.2.0-19)
Version: 14.2.0-19
Conffiles:
 /etc/x 0123
Description: the library
 Package: not-a-field
 Version: 9

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: base-files
Status: install ok installed
Architecture: amd64
Version: 13.8
"""


def test_lists_what_is_installed_with_its_source_package():
    assert installed_packages(STATUS) == (
        DebianPackage("base-files", "13.8", "amd64", "base-files"),
        DebianPackage("libstdc++6", "14.2.0-19", "amd64", "gcc-14"),
    )


def test_names_the_distribution_as_advisories_do():
    assert distribution_of('NAME="Debian"\nID=debian\nVERSION_ID="13"\n') == "debian-13"
    assert distribution_of("ID=debian\n") == "debian"


async def output_of(command):
    ended = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
    return ended.stdout


@pytest.mark.engine
async def test_reads_what_dpkg_in_the_image_lists():
    image = "discovery/python:13"
    found = await read_image((await inspect_images([image]))[image].id)

    query = ["docker", "run", "--rm", "--network=none", "--entrypoint=dpkg-query", found.id]
    query += [
        "--show",
        "--showformat=${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package}\\n",
    ]
    listed = (await output_of(query)).splitlines()
    own = {line.removeprefix("installed ") for line in listed if line.startswith("installed ")}
    assert {f"{each.name} {each.version} {each.architecture} {each.source}" for each in found.packages} == own
    assert found.distribution == "debian-13"


@pytest.mark.engine
async def test_leaves_no_container_behind():
    image = (await inspect_images(["discovery/base:13"]))["discovery/base:13"].id
    created = ["docker", "ps", "--all", "--quiet", "--filter", f"ancestor={image}"]
    created += ["--filter", "status=created"]
    before = await output_of(created)
    await read_image(image)

    assert await output_of(created) == before


@pytest.mark.engine
async def test_refuses_an_image_that_its_folder_no_longer_builds(checkout):
    script = checkout / "images" / "base" / "rootfs.sh"
    script.write_text(script.read_text() + "# changed\n")

    with pytest.raises(ImagesNotCurrentError, match=r"discovery/base:13 \(outdated\)"):
        await read_images(load_folders(checkout), checkout)
