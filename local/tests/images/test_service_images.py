"""What the images of the services are made of."""

import asyncio
import re
import tomllib
from pathlib import Path

import pytest

from dryrun_local.images import building, service_images
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import BuiltImage
from dryrun_local.images.folders import SERVICE_IMAGES, TEST_IMAGES, load_folders
from dryrun_local.images.programs import ProgramError

ROOT = Path(__file__).parents[3]
SERVICES = ("guard", "orchestrator", "approval")


def pinned(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def dependencies(package: str) -> set[str]:
    """Return what a package needs, and what the packages of this workspace need that it needs."""
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {re.split(r"[\[>=<~! ]", each)[0].lower() for each in project["dependencies"]}
    own = {each for each in asked if each.startswith("dryrun-")}
    return (asked - own).union(*(dependencies(each.removeprefix("dryrun-")) for each in own))


@pytest.mark.parametrize("service", SERVICES)
def test_the_pins_hold_all_that_the_service_asks_for(service):
    assert dependencies(service) <= pinned(ROOT / "requirements" / f"service-{service}.txt").keys()


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_the_packages_of_this_workspace_that_its_service_needs(service):
    folders = load_folders(ROOT, (TEST_IMAGES, SERVICE_IMAGES)).values()
    (image,) = [
        each
        for each in folders
        if each.path.parent == ROOT / SERVICE_IMAGES
        and each.manifest.python
        and service in each.manifest.python.packages
    ]
    project = tomllib.loads((ROOT / service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = {each.removeprefix("dryrun-") for each in project["dependencies"] if each.startswith("dryrun-")}
    assert set(image.manifest.python.packages) == own | {service}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_the_versions_that_the_tests_ran_with(service):
    tested = pinned(ROOT / "requirements" / "dev.txt")
    for name, version in pinned(ROOT / "requirements" / f"service-{service}.txt").items():
        assert tested[name] == version, f"{name}: make requirements"


def test_no_session_can_start_the_image_of_a_service():
    folders = load_folders(ROOT, (TEST_IMAGES, SERVICE_IMAGES))
    services = [folder for folder in folders.values() if folder.path.parent == ROOT / SERVICE_IMAGES]
    assert len(services) == len(SERVICES) + 1
    assert not any(folder.manifest.allowlisted for folder in services)


@pytest.fixture
def only_services_are_outdated(monkeypatch):
    folders = load_folders(ROOT, (TEST_IMAGES, SERVICE_IMAGES))
    digests = folder_digests(folders, ROOT)
    by_image = {folder.manifest.image: name for name, folder in folders.items()}
    outdated = {
        image
        for image in by_image
        if image.startswith(("discovery/approval-api:", "discovery/docker-guard:"))
    }

    async def inspect(images):
        return {
            image: BuiltImage("sha256:1", 1, "" if image in outdated else digests[by_image[image]], ())
            for image in images
        }

    monkeypatch.setattr(building, "inspect_images", inspect)
    return outdated


async def test_images_are_built_two_at_a_time_each_with_its_number_among_those_to_build(
    tmp_path, monkeypatch, only_services_are_outdated
):
    together = asyncio.Barrier(2)

    async def build(*_, **__):
        async with asyncio.timeout(5), together:
            return BuiltImage("sha256:1", 1, "", ())

    monkeypatch.setattr(building, "build_folder", build)
    events = []
    await service_images.build_service_images(ROOT, tmp_path, events.append)
    for state in ("building", "built"):
        seen = [event for event in events if event.state == state]
        assert {event.image for event in seen} == only_services_are_outdated
        assert sorted((event.number, event.of) for event in seen) == [(1, 2), (2, 2)]
    assert any(event.state == "unchanged" for event in events)


async def test_an_image_that_is_not_built_fails_the_command_once_the_others_are_built(
    tmp_path, monkeypatch, only_services_are_outdated
):
    async def build(folder, *_, **__):
        if folder.name == "docker-guard":
            raise ProgramError("the end of its log")
        return BuiltImage("sha256:1", 1, "", ())

    monkeypatch.setattr(building, "build_folder", build)
    events = []
    with pytest.raises(building.ImageBuildError, match="the end of its log"):
        await service_images.build_service_images(ROOT, tmp_path, events.append)
    states = {event.folder: event.state for event in events}
    assert (states["docker-guard"], states["approval-api"]) == ("failed", "built")
