import json
from pathlib import Path

import pytest

from dryrun_local.machine.added_folders import AddedFolderError, gather, require_folders
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import held
from dryrun_local.runs.check import find_faults

ROOT = Installation.here().root
IMAGE = """
image: discovery/test-mine:1
summary: A machine of mine.
from: quiet
ground_truth: [{kind: host, key: ""}]
"""
SCANNER = """
image: discovery/test-collector-mine:1
summary: A scanner of mine.
from: base
arguments: [["{cidr}"]]
"""
MANIFEST = """
name: mine
image: discovery/test-collector-mine:1
summary: A scanner of mine.
provides: [host]
timeout_seconds: 60
arguments: ["{cidr}"]
"""
TEMPLATE = """
x-dryrun: {title: Mine, description: One machine., collectors: [network, mine]}
services: {one: {image: "discovery/test-mine:1"}, two: {image: "discovery/test-mine:1"}}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for path, text in (
        ("images/mine/image.yml", IMAGE),
        ("images/mine/Dockerfile", "FROM discovery/test-quiet:1.0\n"),
        ("images/collector-mine/image.yml", SCANNER),
        ("images/collector-mine/Dockerfile", "FROM discovery/base:13\n"),
        ("manifests/mine.yml", MANIFEST),
        ("templates/mine.yml", TEMPLATE),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def installation(tmp_path: Path, *added: Path) -> Installation:
    return Installation(ROOT, tmp_path / "state", added)


def test_a_folder_of_ones_own_is_as_good_as_the_projects(tmp_path: Path, mine: Path) -> None:
    assert list(find_faults(installation(tmp_path, mine))) == []


def test_what_an_imported_network_lacks_is_a_fault(tmp_path: Path) -> None:
    made = installation(tmp_path)
    image = f"discovery/test-stand-in:{'c' * 16}"
    card = {"installed_at": "2026-11-27T00:00:00+00:00", "templates": ["acme"], "images": {"web-1": image}}
    for name, text in (("acme", json.dumps(card)), ("broken", "{")):
        (made.replicas / name).mkdir(parents=True)
        (made.replicas / name / "replica.json").write_text(text)
        (made.replicas / name / "allowlist.json").write_text('{"version": 1, "images": {}}')
    made.allowlist.write_text('{"version": 1, "images": {}}')
    assert [f"{fault.where}: {fault.what}" for fault in find_faults(made)] == [
        "replica broken: is damaged, or of another version; import the network again",
        f"replica acme: the allowlist has no row of 1 image of acme: {image}; import the network again",
        "replica acme: 1 template of acme is missing: acme; import the network again",
    ]


def test_all_faults_of_all_files_come_at_once_with_the_files_own_places(tmp_path: Path, mine: Path) -> None:
    (mine / "images/mine/image.yml").write_text(IMAGE + "tmpfs: [/run]\n")
    (mine / "manifests/mine.yml").write_text(MANIFEST.replace("[host]", "[hosts]"))
    (mine / "templates/mine.yml").write_text(TEMPLATE.replace("two:", "two: {ports: [80]}, three:"))
    found = [f"{fault.where}: {fault.what}" for fault in find_faults(installation(tmp_path, mine))]
    for expected in (
        f"{mine}/images/mine/image.yml: tmpfs: is not a map",
        f"{mine}/manifests/mine.yml:5: provides[0]: is 'hosts'",
        "templates: were not checked",
    ):
        assert sum(line.startswith(expected) for line in found) == 1, found
    (mine / "manifests/mine.yml").write_text(MANIFEST)
    found = [f"{fault.where}: {fault.what}" for fault in find_faults(installation(tmp_path, mine))]
    assert any(line.startswith(f"{mine}/templates/mine.yml:3: services.two.ports: the key") for line in found)


def test_names_that_are_taken_are_refused(tmp_path: Path, mine: Path) -> None:
    (mine / "templates/small.yml").write_text(TEMPLATE)
    (mine / "images/nginx").mkdir()
    (mine / "images/nginx/image.yml").write_text(IMAGE)
    found = [fault.what for fault in find_faults(installation(tmp_path, mine))]
    assert any("the folder nginx is also images/nginx" in what for what in found)
    assert any(
        f"{mine}/templates/small.yml has the name of {ROOT}/templates/small.yml" in what for what in found
    )
    with pytest.raises(AddedFolderError, match=r"small\.yml has the name of"):
        gather(installation(tmp_path, mine))


def test_a_folder_with_nothing_to_add_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, why in {
        "empty": "has none of the folders images, templates, manifests, readers",
        "none": "does not exist",
        "file": "is a file, not a folder",
    }.items():
        with pytest.raises(AddedFolderError, match=f"{name} {why}"):
            require_folders(installation(tmp_path, tmp_path / name))


def test_a_grant_that_no_image_gets_is_said_once_and_what_was_not_checked(tmp_path: Path, mine: Path) -> None:
    (mine / "images/mine/image.yml").write_text(IMAGE + "capabilities: [SYS_ADMIN]\n")
    found = [f"{fault.where}: {fault.what}" for fault in find_faults(installation(tmp_path, mine))]
    assert len(found) == 2
    assert found[0].startswith(f"{mine}/images/mine/image.yml: capabilities: SYS_ADMIN cannot be granted")
    assert found[1] == "manifests and templates: were not checked: they need valid images"


def test_a_parent_that_is_misspelt_is_named(tmp_path: Path, mine: Path) -> None:
    (mine / "images/mine/image.yml").write_text(IMAGE.replace("from: quiet", "from: quite"))
    found = [f"{fault.where}: {fault.what}" for fault in find_faults(installation(tmp_path, mine))]
    assert "there is no folder images/quite; did you mean quiet? Known are " in found[0]


def test_files_are_gathered_and_follow_their_changes(tmp_path: Path, mine: Path) -> None:
    here = installation(tmp_path, mine)
    with held(here):
        assert gather(here)
        assert not gather(here)
        names = {path.name for path in here.templates.iterdir()}
        assert names == {path.name for path in (ROOT / "templates").glob("*.yml")} | {"mine.yml"}
        (mine / "templates/mine.yml").write_text(TEMPLATE + "# changed\n")
        assert gather(here)
        assert (here.templates / "mine.yml").read_text().endswith("# changed\n")
        (mine / "templates/mine.yml").unlink()
        assert gather(here)
        assert not (here.templates / "mine.yml").exists()


def test_without_added_folders_the_orchestrator_reads_the_projects_own(tmp_path: Path) -> None:
    here = installation(tmp_path)
    assert not gather(here)
    assert (here.templates, here.manifests) == (ROOT / "templates", ROOT / "collectors" / "manifests")
