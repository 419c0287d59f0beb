"""An installed network is replaced by another one of its name only where its operator says so."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dryrun_local.images.folder_build import BuiltImage
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import needed_images
from dryrun_local.replicas.importing import import_network
from dryrun_local.replicas.installed import ReplicaError, find, plan_of
from dryrun_local.replicas.needed_images import NOTHING_ANSWERS
from dryrun_local.replicas.planning import ImportOptions, plan_only
from dryrun_local.terminal.screen import Screen

ROOT = Path(__file__).resolve().parents[3]
ID = f"sha256:{'a' * 64}"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose engine has the image of hosts that answer nowhere."""

    async def inspect(names, **_):
        return {name: BuiltImage(ID, 1, "", (), ()) for name in names}

    monkeypatch.setattr(needed_images, "inspect_images", inspect)
    made = Installation(ROOT, tmp_path / "state")
    made.prepare()
    made.allowlist.write_text(json.dumps({"version": 1, "images": {NOTHING_ANSWERS: {"id": ID}}}))
    return made


def table(folder: Path, *hosts: str) -> ImportOptions:
    file = folder / f"{'-'.join(hosts)}.csv"
    file.write_text(
        "host,ip,port\n" + "".join(f"{host},10.20.0.{number},\n" for number, host in enumerate(hosts))
    )
    return ImportOptions((file,), "acme")


def imported(installation: Installation, options: ImportOptions) -> None:
    asyncio.run(import_network(installation, options, Screen()))


@pytest.fixture
def office(installation: Installation, tmp_path: Path) -> ImportOptions:
    """A network of one printer, which is installed as acme."""
    options = table(tmp_path, "printer")
    imported(installation, options)
    return options


def refusal(installation: Installation, options: ImportOptions) -> str:
    """What an import says that is refused, as its plan says it too."""
    with pytest.raises(ReplicaError) as planned:
        asyncio.run(plan_only(installation, options, Screen(), as_json=False))
    with pytest.raises(ReplicaError) as made:
        asyncio.run(import_network(installation, options, Screen()))
    assert str(planned.value) == str(made.value)
    return str(made.value)


def test_another_network_does_not_take_the_place_of_an_installed_one(
    installation: Installation, office: ImportOptions, tmp_path: Path
) -> None:
    said = refusal(installation, table(tmp_path, "camera", "door"))
    assert (
        "acme is installed already, from other files: 1 host, 0 services, from a table, imported 20" in said
    )
    for way in ("another --name", "--replace", "network export acme -o acme.bundle"):
        assert way in said
    assert plan_of(find(installation, "acme")).hosts == 1


@pytest.mark.parametrize(
    ("changes", "said"), [({"seed": 7}, "with --seed 0"), ({"keep_names": True}, "without --keep-names")]
)
def test_the_same_files_made_otherwise_are_another_network(
    installation: Installation, office: ImportOptions, changes: dict[str, Any], said: str
) -> None:
    assert f"installed already, {said}: " in refusal(installation, replace(office, **changes))


def test_the_same_network_may_be_imported_again(
    installation: Installation, office: ImportOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(installation, office)
    assert "replaces" not in capsys.readouterr().out


def test_what_is_replaced_is_told_and_how_it_comes_back(
    installation: Installation, office: ImportOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(table(tmp_path, "camera", "door"), replace=True)
    asyncio.run(plan_only(installation, other, Screen(), as_json=False))
    assert "It would replace 1 host, 0 services, from a table, imported 20" in capsys.readouterr().out
    imported(installation, other)
    said = capsys.readouterr().out
    assert "It replaces 1 host, 0 services, from a table, imported 20" in said
    assert "import its files under another name to have both" in " ".join(said.split())
    assert plan_of(find(installation, "acme")).hosts == 2


def test_a_damaged_network_may_be_imported_again_as_its_error_says(
    installation: Installation, office: ImportOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (installation.replicas / "acme" / "replica.json").write_text("{")
    imported(installation, table(tmp_path, "camera"))
    assert "It replaces a damaged one\n" in capsys.readouterr().out
    assert find(installation, "acme").templates == ("acme",)
