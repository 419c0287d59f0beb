import json
from pathlib import Path

import pytest

from dryrun_local.images.installed_rows import installed_rows
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.installed import ReplicaError, find, install, installed, pin, remove

WEB = "discovery/test-web:1"
ONE, TWO = (f"discovery/test-stand-in:{letter * 16}" for letter in "ab")


def row(letter: str) -> dict[str, object]:
    return {"id": f"sha256:{letter * 64}", "ground_truth": [{"kind": "host", "key": ""}]}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path / "root", tmp_path / "state")
    (made.root / "templates").mkdir(parents=True)
    (made.root / "templates" / "small.yml").write_text("{}")
    made.prepare()
    made.allowlist.write_text(json.dumps({"version": 1, "images": {WEB: row("c")}}))
    return made


def pinned(installation: Installation) -> list[str]:
    return list(json.loads(installation.allowlist.read_text())["images"])


def make(installation: Installation, name: str, *images: str, templates: tuple[str, ...] = ()) -> None:
    install(
        installation,
        name,
        templates=dict.fromkeys(templates or (name,), "services: {}\n"),
        rows={image: row("a") for image in images},
        card={"templates": list(templates or (name,))},
    )


def test_a_replica_is_its_template_its_rows_and_its_card(installation: Installation) -> None:
    make(installation, "acme", ONE)
    assert pinned(installation) == [ONE, WEB]
    assert (installation.replica_templates / "acme.yml").is_file()
    assert [replica.name for replica in installed(installation)] == ["acme"]
    assert find(installation, "acme").images == (ONE,)


def test_installing_it_again_replaces_templates_and_rows(installation: Installation) -> None:
    make(installation, "acme", ONE, templates=("acme-1", "acme-2"))
    make(installation, "acme", TWO)
    assert pinned(installation) == [TWO, WEB]
    assert [path.name for path in installation.replica_templates.iterdir()] == ["acme.yml"]


def test_removing_one_leaves_what_another_needs(installation: Installation) -> None:
    make(installation, "acme", ONE, TWO)
    make(installation, "other", TWO)
    assert remove(installation, "acme") == (ONE,)
    assert pinned(installation) == [TWO, WEB]
    assert [replica.name for replica in installed(installation)] == ["other"]
    with pytest.raises(ReplicaError, match="there is no replica 'acme'; installed are: other"):
        remove(installation, "acme")


@pytest.mark.parametrize("name", ["small", "templates"])
def test_a_name_that_is_taken_is_refused_before_anything_is_written(
    installation: Installation, name: str
) -> None:
    with pytest.raises(ReplicaError, match="choose another name"):
        make(installation, name, ONE)
    assert pinned(installation) == [WEB]


def test_a_replica_pins_stand_ins_only(installation: Installation) -> None:
    with pytest.raises(ReplicaError, match="a replica pins stand-ins only, not discovery/test-web:1"):
        pin(installation, {WEB: row("d")})


def test_a_file_among_the_replicas_cannot_pin_another_image(installation: Installation) -> None:
    make(installation, "acme", ONE)
    path = installation.replicas / "acme" / "allowlist.json"
    path.write_text(json.dumps({"images": {WEB: row("d"), ONE: row("a")}}))
    assert list(installed_rows(installation.state)) == [ONE]
    path.write_text("damaged")
    assert installed_rows(installation.state) == {}


def test_without_an_allowlist_it_says_what_to_do(installation: Installation) -> None:
    installation.allowlist.unlink()
    with pytest.raises(ReplicaError, match="dryrun-local images build"):
        make(installation, "acme", ONE)
