"""The bills of materials: valid CycloneDX, complete, and the same for the same release."""

import json
import tomllib
from datetime import UTC, datetime
from importlib import resources

import jsonschema_rs
import pytest
from local_stack import ROOT

from dryrun_local.images.folders import SERVICE_IMAGES, TEST_IMAGES, load_folders
from dryrun_local.release.bills import bill_of_images, bill_of_services
from dryrun_local.release.debian_packages import DebianPackage, ReadImage
from dryrun_local.release.source import Source, members
from dryrun_local.release.wheels import Wheel

SOURCE = Source("0.1.0", "c" * 40, datetime(2026, 11, 26, 12, tzinfo=UTC), "## 0.1.0\n\n- New.\n")
NAMES = {
    folder: tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["name"]
    for folder in members(ROOT)
}
WHEELS = {
    folder: Wheel(name, "0.1.0", f"{name.replace('-', '_')}-0.1.0-py3-none-any.whl", f"{number:064x}")
    for number, (folder, name) in enumerate(NAMES.items())
}
PACKAGES = (
    DebianPackage("base-files", "13.8", "amd64", "base-files"),
    DebianPackage("libstdc++6", "14.2.0-19", "amd64", "gcc-14"),
)


@pytest.fixture(scope="module")
def folders():
    return load_folders(ROOT, (TEST_IMAGES, SERVICE_IMAGES))


@pytest.fixture
def services(folders):
    return bill_of_services(SOURCE, folders, WHEELS, ROOT)


@pytest.fixture
def images(folders):
    read = {
        name: ReadImage(f"sha256:{number:064x}", "debian-13", PACKAGES) for number, name in enumerate(folders)
    }
    return bill_of_images(SOURCE, folders, read, WHEELS, ROOT)


def schema(name):
    return json.loads((resources.files("cyclonedx") / "schema" / "_res" / name).read_text())


@pytest.fixture(scope="module")
def cyclonedx():
    parts = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    registry = jsonschema_rs.Registry(
        [(f"http://cyclonedx.org/schema/{name}", schema(name)) for name in parts]
    )
    whole = schema("bom-1.6.SNAPSHOT.schema.json")
    return jsonschema_rs.Draft7Validator(whole, registry=registry, validate_formats=True)


def parts_of(bill, reference):
    found = {each["ref"]: each.get("dependsOn", []) for each in json.loads(bill)["dependencies"]}
    return found[reference]


def component(bill, reference):
    (found,) = (each for each in json.loads(bill)["components"] if each["bom-ref"] == reference)
    return found


@pytest.mark.parametrize("bill", ["services", "images"])
def test_is_valid_by_the_schema_of_cyclonedx(bill, cyclonedx, request):
    document = json.loads(request.getfixturevalue(bill))

    assert [error.message for error in cyclonedx.iter_errors(document)] == []
    # The schema is in force: without its version the same document is refused.
    assert list(cyclonedx.iter_errors({**document, "specVersion": 1.6}))


@pytest.mark.parametrize("bill", ["services", "images"])
def test_names_nothing_that_it_does_not_describe(bill, request):
    document = json.loads(request.getfixturevalue(bill))
    described = {each["bom-ref"] for each in document["components"]}
    described.add(document["metadata"]["component"]["bom-ref"])

    assert {each["ref"] for each in document["dependencies"]} == described
    assert all(set(each.get("dependsOn", ())) <= described for each in document["dependencies"])


def test_the_bill_of_services_lists_three_services_with_their_wheels(services):
    own = parts_of(services, "discovery-dry-run-services")

    assert sorted(component(services, each)["name"] for each in own) == [
        "approval-api",
        "docker-guard",
        "dryrun-orchestrator",
    ]
    (guard,) = (each for each in own if "docker-guard" in each)
    assert component(services, guard)["hashes"] == [{"alg": "SHA-256", "content": WHEELS["guard"].sha256}]
    assert any(part.startswith("pkg:pypi/aiohttp@") for part in parts_of(services, guard))


def test_a_python_package_has_the_hashes_of_its_pin(services):
    (aiohttp,) = (each for each in json.loads(services)["components"] if each["name"] == "aiohttp")
    pinned = (ROOT / "requirements" / "service-guard.txt").read_text()

    assert aiohttp["hashes"]
    assert all(f"--hash=sha256:{each['content']}" in pinned for each in aiohttp["hashes"])


def test_vendored_browser_files_are_part_of_the_service_that_serves_them(services):
    (approval,) = (each for each in parts_of(services, "discovery-dry-run-services") if "approval" in each)

    assert {each for each in parts_of(services, approval) if each.startswith("pkg:npm/")} == {
        "pkg:npm/htmx.org@4.0.1",
        "pkg:npm/%40fontsource-variable/inter@5.3.0",
    }


def test_every_image_lists_its_id_and_its_packages(images, folders):
    listed = parts_of(images, "discovery-dry-run-images")
    assert sorted(listed) == sorted(folder.manifest.image for folder in folders.values())

    name = "discovery/test-collector-database:1.0"
    assert len(component(images, name)["hashes"][0]["content"]) == 64
    parts = parts_of(images, name)
    assert "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13&upstream=gcc-14" in parts
    assert any(part.startswith("pkg:pypi/pymongo@") for part in parts)
    assert any(part.startswith("pkg:pypi/discovery-collectors@") for part in parts)


def test_an_image_lists_the_python_packages_of_its_parent(images):
    parts = parts_of(images, "discovery/test-mongodb-large:nx-0.8.1")

    assert any(part.startswith("pkg:pypi/nx-27017@") for part in parts)


def test_the_same_release_has_the_same_bytes(folders, services):
    assert bill_of_services(SOURCE, folders, WHEELS, ROOT) == services


def test_another_wheel_gives_the_document_another_number(folders, services):
    other = {**WHEELS, "guard": Wheel("docker-guard", "0.1.0", WHEELS["guard"].file, "f" * 64)}
    bill = bill_of_services(SOURCE, folders, other, ROOT)

    assert json.loads(bill)["serialNumber"] != json.loads(services)["serialNumber"]
