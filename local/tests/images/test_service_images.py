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


@pytest.mark.parametrize("service", SERVICES)
def test_the_pins_hold_all_that_the_service_asks_for(service):
    project = tomllib.loads((ROOT / service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {re.split(r"[\[>=<~! ]", each)[0].lower() for each in project["dependencies"]}
    assert asked - {"dryrun-contract"} <= pinned(ROOT / "requirements" / f"service-{service}.txt").keys()


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
