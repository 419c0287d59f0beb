"""A network in a file: another deployment has what was exported."""

import asyncio
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from made_bundles import BASE, IMAGE, change_row, changed, in_folder, take

from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import moving
from dryrun_local.replicas.commands import remove_replica, verify_replica
from dryrun_local.replicas.installed import ReplicaError, find
from dryrun_local.terminal.screen import Screen


def test_another_deployment_has_the_network_after_its_images_were_verified(
    acme: Installation,
    bundle: Path,
    there: Installation,
    verified: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert moving.is_bundle((bundle,))
    take(there, bundle, moving._sha256(bundle).upper())
    assert "deploy/prepare" not in capsys.readouterr().out, "nothing was deployed from there"
    assert verified == [IMAGE]
    assert find(there, "acme").images == (IMAGE,)
    text = (there.replica_templates / "acme.yml").read_text()
    assert text == (acme.replica_templates / "acme.yml").read_text()
    assert json.loads(there.allowlist.read_text()) == json.loads(acme.allowlist.read_text())
    verified.clear()
    take(there, bundle)
    assert verified == [], "what is here and pinned is neither loaded nor verified again"
    asyncio.run(remove_replica(there, Screen(), "acme"))
    said = capsys.readouterr().out
    assert ("deploy/prepare" in said, "1 image left" in said) == (False, True)
    assert said.endswith(f"docker image rm {IMAGE}\n")


@pytest.mark.parametrize("deployed", [".env", "state"])
@pytest.mark.parametrize("is_own_state", [True, False])
def test_a_deployment_of_this_checkout_has_to_be_prepared_again(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], deployed: str, is_own_state: bool
) -> None:
    made = in_folder(tmp_path / "there", ".dryrun" if is_own_state else "other")
    (made.root / "deploy").mkdir()
    (made.root / "deploy" / deployed).touch()
    told = "The deployment takes this over when deploy/prepare runs"
    take(made, bundle)
    assert (told in capsys.readouterr().out) is is_own_state
    asyncio.run(remove_replica(made, Screen(), "acme"))
    assert (told in capsys.readouterr().out) is is_own_state


def test_a_bundle_of_another_network_takes_the_place_of_an_installed_one_only_when_told_to(
    acme: Installation, bundle: Path, there: Installation, docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(there, bundle)
    there_before = (there.replicas / "acme" / "replica.json").read_bytes()

    def from_other_files(_: Any, files: dict[str, bytes]) -> None:
        files["replica.json"] = files["replica.json"].replace(b"0" * 64, b"1" * 64)

    changed(bundle, from_other_files)
    with pytest.raises(ReplicaError, match=r"installed already, from other files: 1 host.*\n +to replace it"):
        take(there, bundle)
    assert (there.replicas / "acme" / "replica.json").read_bytes() == there_before
    capsys.readouterr()
    asyncio.run(moving.import_bundle(there, Screen(), bundle, sha256=None, replace=True))
    assert "It replaces 1 host, 1 service, from a table" in capsys.readouterr().out


def test_a_plan_that_does_not_read_is_not_exported_and_named(acme: Installation, tmp_path: Path) -> None:
    card = acme.replicas / "acme" / "replica.json"
    card.write_text(card.read_text().replace('"plan": {', '"plan": {"colour": 1,'))
    with pytest.raises(ReplicaError, match="the replica acme is damaged"):
        asyncio.run(moving.export_network(acme, Screen(), "acme", tmp_path / "acme.tar", None))


def test_an_image_that_is_gone_is_named_with_what_brings_it_back(
    acme: Installation, docker: Path, tmp_path: Path
) -> None:
    (docker / "images.json").unlink()
    for command in (
        moving.export_network(acme, Screen(), "acme", tmp_path / "acme.tar", None),
        verify_replica(acme, Screen(), "acme"),
    ):
        with pytest.raises(
            ProgramError, match=f"no {IMAGE} with the pinned id; `dryrun-local network import`"
        ):
            asyncio.run(command)


def test_layers_that_are_there_are_left_out_and_named_when_they_are_not(
    acme: Installation, docker: Path, there: Installation, tmp_path: Path
) -> None:
    present, path = tmp_path / "layers", tmp_path / "small.tar"
    layers = json.loads((docker / "images.json").read_text())[IMAGE]["RootFS"]["Layers"]
    present.write_text(f"{layers[0]}\n")
    asyncio.run(moving.export_network(acme, Screen(), "acme", path, present))
    assert BASE.encode() not in path.read_bytes()
    (docker / "images.json").unlink()
    with pytest.raises(Exception, match="1 layers that this engine was said to have"):
        take(there, path)


def test_the_row_that_was_verified_here_holds_when_its_image_is_loaded_again(
    bundle: Path, there: Installation, docker: Path
) -> None:
    take(there, bundle)
    row = json.loads(there.allowlist.read_text())["images"][IMAGE]
    (docker / "images.json").unlink()

    def other_truth(_: Any, files: dict[str, bytes]) -> None:
        change_row(files, ground_truth=[{"kind": "service", "key": ":22/tcp"}], capabilities=["SETUID"])

    take(there, changed(bundle, other_truth))
    assert json.loads(there.allowlist.read_text())["images"][IMAGE] == row
    assert IMAGE in json.loads((docker / "images.json").read_text())


def test_what_a_bundles_template_says_beyond_its_plan_is_not_installed(
    bundle: Path, there: Installation
) -> None:
    def more(_: Any, files: dict[str, bytes]) -> None:
        files["templates/acme.yml"] += b"\n  other:\n    image: discovery/test-postgres:17\n"

    take(there, changed(bundle, more))
    assert "postgres" not in (there.replica_templates / "acme.yml").read_text()


def test_an_inventory_is_no_bundle(tmp_path: Path) -> None:
    table = tmp_path / "hosts.csv"
    table.write_text("host,port\n")
    assert not moving.is_bundle((table,))
    assert not moving.is_bundle((tmp_path / "none",))
    assert not moving.is_bundle((tmp_path,))


@pytest.mark.parametrize(
    ("first", "is_one"),
    [
        ("scan.xml", False),
        ("export/replica.json", False),
        ("replica.json", True),
        ("index.json", True),
        (f"blobs/sha256/{64 * '0'}", True),
    ],
)
def test_only_a_tar_that_begins_as_a_bundle_is_one(tmp_path: Path, first: str, is_one: bool) -> None:
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w") as tar:
        tar.addfile(tarfile.TarInfo(first))
    assert moving.is_bundle((packed,)) is is_one
    assert not moving.is_bundle((packed, packed))
