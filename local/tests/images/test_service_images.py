"""What the images of the services are made of."""

import re
import tomllib
from pathlib import Path

import pytest

from dryrun_local.images.manifest import SERVICE_IMAGES, TEST_IMAGES, load_folders

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
