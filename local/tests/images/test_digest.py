"""The digest changes with everything that goes into an image, and with nothing else."""

from pathlib import Path

import pytest

from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folders import load_folders


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, manifest in {
        "base": "{image: 'discovery/base:1', summary: s}",
        "site": "{image: 'discovery/test-site:1', summary: s, from: base, "
        "python: {requirements: requirements/site.txt, packages: [contract]}}",
        "other": "{image: 'discovery/test-other:1', summary: s}",
    }.items():
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "image.yml").write_text(manifest)
        (folder / "rootfs.sh").write_text("true\n")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "site.txt").write_text("a==1\n")
    (tmp_path / "contract" / "src" / "dryrun_contract").mkdir(parents=True)
    (tmp_path / "contract" / "src" / "dryrun_contract" / "base.py").write_text("x = 1\n")
    return tmp_path


def changed_by(root: Path, path: str, content: str) -> set[str]:
    before = folder_digests(load_folders(root), root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)
    after = folder_digests(load_folders(root), root)
    return {name for name in after if after[name] != before[name]}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("images/site/page.html", {"site"}),
        ("images/base/rootfs.sh", {"base", "site"}),
        ("requirements/site.txt", {"site"}),
        ("contract/src/dryrun_contract/base.py", {"site"}),
        ("images/site/deep/new.txt", {"site"}),
        ("images/site/__pycache__/x.pyc", set()),
        ("contract/src/dryrun_contract/__pycache__/base.pyc", set()),
        ("docs/index.md", set()),
    ],
)
def test_covers_the_folder_its_python_parts_and_its_parents(root: Path, path: str, changed: set[str]) -> None:
    assert changed_by(root, path, "# other\n") == changed


def test_covers_whether_a_file_is_executable(root: Path) -> None:
    before = folder_digests(load_folders(root), root)
    (root / "images" / "other" / "rootfs.sh").chmod(0o755)
    after = folder_digests(load_folders(root), root)
    assert before["other"] != after["other"]


def test_a_moved_byte_between_two_files_is_a_change(root: Path) -> None:
    changed_by(root, "images/other/a", "xy")
    changed_by(root, "images/other/b", "z")
    before = folder_digests(load_folders(root), root)["other"]
    (root / "images/other/a").write_text("x")
    (root / "images/other/b").write_text("yz")
    assert folder_digests(load_folders(root), root)["other"] != before


def test_is_the_same_in_another_place(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy") / "repository"
    root.rename(copy)
    there = folder_digests(load_folders(copy), copy)
    copy.rename(root)
    assert there == folder_digests(load_folders(root), root)
