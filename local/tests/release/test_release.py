"""A release from start to end."""

import asyncio
import os
import subprocess
import zipfile

import pytest

from dryrun_local.release import __main__ as command
from dryrun_local.release.debian_packages import DebianPackage, ReadImage
from dryrun_local.release.source import NotReleasableError, members

VERSION = "0.1.0"
PACKAGES = (DebianPackage("base-files", "13.8", "amd64", "base-files"),)


@pytest.fixture(autouse=True)
def images(monkeypatch):
    async def read(folders, root):
        return {name: ReadImage(f"sha256:{'0' * 64}", "debian-13", PACKAGES) for name in folders}

    monkeypatch.setattr(command, "read_images", read)


async def test_two_builds_of_a_commit_have_the_same_bytes(checkout, tmp_path):
    first = await command.release(checkout, VERSION, tmp_path / "log")
    sums = (first / "SHA256SUMS").read_text()
    for path in checkout.glob("*/src/**/*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)

    second = await command.release(checkout, VERSION, tmp_path / "log")

    assert (second / "SHA256SUMS").read_text() == sums


async def test_holds_wheels_bills_changes_and_their_checksums(checkout, tmp_path):
    folder = await command.release(checkout, VERSION, tmp_path / "log")

    assert folder == checkout / "dist" / VERSION
    names = {path.name for path in folder.iterdir()}
    assert names - {name for name in names if name.endswith(".whl")} == {
        "CHANGES.md",
        "SHA256SUMS",
        "images.cdx.json",
        "services.cdx.json",
    }
    assert len([name for name in names if name.endswith(".whl")]) == len(members(checkout))
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = await asyncio.to_thread(subprocess.run, check, check=True, cwd=folder, capture_output=True)
    assert len(checked.stdout.splitlines()) == len(names) - 1


async def test_every_wheel_brings_the_licence_and_no_tests(checkout, tmp_path):
    folder = await command.release(checkout, VERSION, tmp_path / "log")

    for wheel in folder.glob("*.whl"):
        names = zipfile.ZipFile(wheel).namelist()
        assert {"LICENSE", "NOTICE"} <= {name.rpartition("/")[2] for name in names}, wheel.name
        assert not [name for name in names if "/tests/" in name or "__pycache__" in name]


async def test_nothing_is_written_when_it_is_refused(checkout, tmp_path):
    (checkout / "NOTICE").write_text("changed")

    with pytest.raises(NotReleasableError):
        await command.release(checkout, VERSION, tmp_path / "log")
    assert not (checkout / "dist").exists()


async def test_an_earlier_build_of_the_version_is_replaced_whole(checkout, git, tmp_path):
    stale = checkout / "dist" / VERSION / "stale.whl"
    stale.parent.mkdir(parents=True)
    stale.touch()

    await command.release(checkout, VERSION, tmp_path / "log")

    assert not stale.exists()
    assert git("status", "--porcelain") == ""


def test_a_state_that_is_a_deployments_is_named_as_what_keeps_it_from_a_release(monkeypatch, tmp_path):
    monkeypatch.setenv("DRYRUN_STATE", str(tmp_path))
    monkeypatch.delenv("DRYRUN_LOCAL_STATE", raising=False)
    monkeypatch.setattr("sys.argv", ["release", VERSION])
    with pytest.raises(SystemExit, match=r"^release: DRYRUN_STATE names the folder of a deployment"):
        command.main()
