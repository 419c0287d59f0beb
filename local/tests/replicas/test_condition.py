"""What somebody removed from under an installed network is noticed, with what brings it back."""

import json
from pathlib import Path

import pytest
from made_networks import READ_AT, host, network, service
from simple_recipes import match_host

from dryrun_local.doctor.installation_checks import installed_replicas
from dryrun_local.images.folder_build import BuiltImage
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import condition
from dryrun_local.replicas.commands import list_replicas, show_replica, verify_replica
from dryrun_local.replicas.installed import ReplicaError
from dryrun_local.replicas.moving import export_network
from dryrun_local.terminal.screen import Screen
from dryrun_replica.planning.plan import make_plan

STAND_IN, OF_PROJECT = f"discovery/test-stand-in:{'c' * 16}", "discovery/test-nginx:1.26"
ID, OTHER = (f"sha256:{letter * 64}" for letter in "ab")
WHOLE = {STAND_IN: ID, OF_PROJECT: ID}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The ids of the images that the engine has, which may change."""
    ids = dict(WHOLE)

    async def inspect(names, **_):
        return {name: BuiltImage(ids[name], 1, "", (), ()) for name in names if name in ids}

    monkeypatch.setattr(condition, "inspect_images", inspect)
    return ids


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation with the network acme, one of whose hosts stands on an image of the project."""
    made = Installation(tmp_path, tmp_path / "state")
    folder = made.replicas / "acme"
    folder.mkdir(parents=True)
    plan = make_plan("acme", network(host("web-1", service(80, "nginx"))), match_host, READ_AT)
    card = {
        "installed_at": READ_AT.isoformat(),
        "templates": ["acme"],
        "plan": plan.model_dump(mode="json"),
        "images": {"web-1": STAND_IN, "web-2": OF_PROJECT},
    }
    (folder / "replica.json").write_text(json.dumps(card))
    rows = {image: {"id": ID} for image in WHOLE}
    made.allowlist.write_text(json.dumps({"version": 1, "images": rows}))
    (folder / "allowlist.json").write_text(json.dumps({"version": 1, "images": {STAND_IN: {"id": ID}}}))
    made.replica_templates.mkdir()
    (made.replica_templates / "acme.yml").write_text("services: {}")
    return made


async def said(installation: Installation, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the list says after its rows, as its JSON and the network's own screens say it too."""
    await list_replicas(installation, Screen(), as_json=False)
    listed = [line[2:] for line in capsys.readouterr().out.splitlines() if line[:2] == "✗ "]
    await list_replicas(installation, Screen(to_error=True), as_json=True)
    [row] = json.loads(capsys.readouterr().out)
    await show_replica(installation, Screen(to_error=True), "acme", as_json=True)
    assert row["lacks"] == json.loads(capsys.readouterr().out)["lacks"] == listed
    await show_replica(installation, Screen(), "acme", as_json=False)
    assert [line[2:] for line in capsys.readouterr().out.splitlines() if line[:2] == "✗ "] == listed
    return listed


async def test_a_network_that_has_everything_lacks_nothing(engine, installation, capsys) -> None:
    assert await said(installation, capsys) == []
    found = await installed_replicas(installation)
    assert found is not None
    assert (found.state, found.fixes) == ("ok", ())


@pytest.mark.parametrize("there", [None, OTHER])
async def test_an_image_that_is_gone_or_another_is_missing(engine, installation, capsys, there) -> None:
    engine.pop(STAND_IN)
    engine |= {STAND_IN: there} if there else {}
    what = f"the engine lacks 1 image of acme: {STAND_IN}"
    assert await said(installation, capsys) == [f"{what}; import the network again"]
    found = await installed_replicas(installation)
    assert (found.state, found.detail) == ("missing", what)
    [fix] = found.fixes
    assert "dryrun-local network import FILE --name acme" in fix
    assert "a bundle without --name" in fix


async def test_an_image_of_the_project_is_built_and_not_imported(engine, installation, capsys) -> None:
    engine.pop(OF_PROJECT)
    [line] = await said(installation, capsys)
    assert line == f"the engine lacks 1 image of acme: {OF_PROJECT}; `dryrun-local images build` builds it"
    assert (await installed_replicas(installation)).fixes == (".venv/bin/dryrun-local images build",)


async def test_a_row_and_a_template_that_are_gone_are_missing(engine, installation, capsys, tmp_path) -> None:
    installation.allowlist.write_text(json.dumps({"version": 1, "images": {OF_PROJECT: {"id": ID}}}))
    (installation.replica_templates / "acme.yml").unlink()
    lacks = [
        f"the allowlist has no row of 1 image of acme: {STAND_IN}; import the network again",
        "1 template of acme is missing: acme; import the network again",
    ]
    assert await said(installation, capsys) == lacks
    for command in (
        verify_replica(installation, Screen(), "acme"),
        export_network(installation, Screen(), "acme", tmp_path / "acme.bundle", None),
    ):
        with pytest.raises(ReplicaError) as error:
            await command
        assert str(error.value).splitlines() == lacks
    assert not (tmp_path / "acme.bundle").exists()


@pytest.mark.parametrize(
    "text", ["", "x-dryrun: {title: 'Repl", "x-dryrun: {title: Replica}\n", "- services\n"]
)
async def test_a_template_that_was_cut_off_is_damaged(engine, installation, capsys, text) -> None:
    (installation.replica_templates / "acme.yml").write_text(text)
    lack = "1 template of acme is damaged: acme; import the network again"
    assert await said(installation, capsys) == [lack]
    with pytest.raises(ReplicaError, match=lack):
        await verify_replica(installation, Screen(), "acme")


async def test_without_an_engine_the_list_says_that_it_does_not_know(
    installation, monkeypatch, capsys
) -> None:
    async def inspect(names, **_):
        raise ProgramError("the engine does not list images: nobody there")

    monkeypatch.setattr(condition, "inspect_images", inspect)
    await list_replicas(installation, Screen(), as_json=False)
    shown = capsys.readouterr().out
    assert ("The engine does not answer" in shown, "✗" in shown) == (True, False)


async def test_the_doctor_names_damaged_networks_and_is_silent_without_any(installation, engine) -> None:
    (installation.replicas / "acme" / "replica.json").write_text("{")
    found = await installed_replicas(installation)
    assert (found.state, found.detail) == ("missing", "acme is damaged, or of another version")
    [fix] = found.fixes
    assert "network import FILE --name acme" in fix
    assert await installed_replicas(Installation(installation.root, installation.root / "empty")) is None
