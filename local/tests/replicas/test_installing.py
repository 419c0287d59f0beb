import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dryrun_local.images.allowlist_rows import RowsError, installed_rows
from dryrun_local.machine.errors import NotWrittenError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import installing
from dryrun_local.replicas.installed import MAX_CARD_BYTES, ReplicaError, find, installed
from dryrun_local.replicas.installing import install, pin, remove
from dryrun_orchestrator.catalog.grants import MAX_TMPFS_BYTES
from dryrun_replica.recipes import model

WEB = "discovery/test-web:1"
ONE, TWO = (f"discovery/test-stand-in:{letter * 16}" for letter in "ab")


def row(letter: str) -> dict[str, object]:
    return {"id": f"sha256:{letter * 64}", "ground_truth": [{"kind": "host", "key": ""}]}


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "SECONDS_UNTIL_READ", 0)


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


def test_images_of_the_old_one_are_allowed_until_the_orchestrator_has_read_the_new_one(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(installation, "acme", ONE)
    seen: list[list[str]] = []
    monkeypatch.setattr(installing.time, "sleep", lambda _: seen.append(pinned(installation)))
    make(installation, "acme", ONE)
    assert seen == []
    make(installation, "acme", TWO)
    assert (seen, pinned(installation)) == ([[ONE, TWO, WEB]], [TWO, WEB])


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


@pytest.mark.parametrize("fails", range(1, 9))
def test_an_import_that_was_killed_leaves_no_template_behind(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """Wherever in its writing: imported again, it has its own templates, and removed it has none."""
    make(installation, "acme", ONE, templates=("acme-1", "acme-2"))
    make(installation, "acme-3", ONE)
    steps = iter(range(1, 99))
    with monkeypatch.context() as killed:
        for name in ("write_atomically", "write_rows", "_write_allowlist"):

            def or_killed(*values: object, done: object = getattr(installing, name)) -> None:
                if next(steps) == fails:
                    raise KeyboardInterrupt
                done(*values)  # type: ignore[operator]  # a function

            killed.setattr(installing, name, or_killed)
        with pytest.raises(KeyboardInterrupt):
            make(installation, "acme", TWO)
    make(installation, "acme", TWO)
    assert sorted(path.stem for path in installation.replica_templates.iterdir()) == ["acme", "acme-3"]
    (installation.replicas / "acme-3" / "replica.json").write_text("{")
    remove(installation, "acme")
    assert [path.name for path in installation.replica_templates.iterdir()] == ["acme-3.yml"]
    remove(installation, "acme-3")
    assert list(installation.replica_templates.iterdir()) == []


def test_removing_one_leaves_what_another_needs(installation: Installation) -> None:
    make(installation, "acme", ONE, TWO)
    make(installation, "other", TWO)
    assert remove(installation, "acme") == (ONE,)
    assert pinned(installation) == [TWO, WEB]
    assert [replica.name for replica in installed(installation)] == ["other"]
    with pytest.raises(ReplicaError, match="there is no replica 'acme'; installed are: other"):
        remove(installation, "acme")


@pytest.mark.parametrize("damaged", [True, False])
def test_one_is_removed_also_where_the_allowlist_is_missing_or_damaged(
    installation: Installation, *, damaged: bool
) -> None:
    make(installation, "acme", ONE)
    installation.allowlist.unlink()
    if damaged:
        installation.allowlist.write_text("{")
    assert remove(installation, "acme") == (ONE,)
    assert not installed_rows(installation.state)
    assert list(installed(installation)) == []


def test_a_removal_that_a_full_disk_ended_is_repeated(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(installation, "acme", ONE)

    def full(*_: object) -> None:
        raise NotWrittenError("full")

    with monkeypatch.context() as patched:
        patched.setattr(installing, "write_rows", full)
        with pytest.raises(NotWrittenError):
            remove(installation, "acme")
    remove(installation, "acme")
    assert (pinned(installation), list(installed(installation))) == ([WEB], [])
    assert not list(installation.replica_templates.glob("*.yml"))


def test_a_name_that_is_no_replica_s_is_told_apart(installation: Installation) -> None:
    make(installation, "acme", ONE, templates=("acme-1", "acme-2"))
    (installation.root / "templates" / "small.yml").write_text("services: {}\n")
    for name, said in (
        ("small", "small is one of the project's own templates, not a replica; installed are: acme"),
        ("acme-2", "acme-2 is a template of the replica acme, not a replica itself; installed"),
        ("acme-3", "there is no replica 'acme-3'; installed are: acme"),
        ("../templates/small", "there is no replica '../templates/small'; installed are: acme"),
        ("a" * 300, "there is no replica 'aaa"),
    ):
        with pytest.raises(ReplicaError, match=re.escape(said)):
            find(installation, name)


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
    with pytest.raises(RowsError, match="dryrun-local images build"):
        make(installation, "acme", ONE)


def test_a_row_that_would_make_the_allowlist_invalid_is_refused_and_nothing_changes(
    installation: Installation,
) -> None:
    before = installation.allowlist.read_text()
    too_large = row("a") | {"tmpfs": {"/run/stand-in": {"size": MAX_TMPFS_BYTES + 1}}}
    with pytest.raises(ReplicaError, match=r"(?s)the allowlist would not be valid: .*256 MiB"):
        install(installation, "acme", templates={"acme": ""}, rows={ONE: too_large}, card={"templates": []})
    assert installation.allowlist.read_text() == before
    assert list(installed(installation)) == []
    assert [path.name for path in installation.state.glob(".allow*")] == []


def test_what_is_composed_has_the_allowlists_ceiling() -> None:
    assert model.MAX_TMPFS_BYTES == MAX_TMPFS_BYTES


def test_a_template_of_another_replica_is_refused_and_left(installation: Installation) -> None:
    make(installation, "acme", ONE, templates=("acme-1", "acme-2"))
    with pytest.raises(ReplicaError, match="acme-1 is a template of the replica acme"):
        make(installation, "acme-1", TWO)
    remove(installation, "acme")
    make(installation, "acme-1", TWO)
    with pytest.raises(ReplicaError, match="acme-1 is a template of the replica acme-1"):
        make(installation, "acme", ONE, templates=("acme-1", "acme-2"))
    assert [path.name for path in installation.replica_templates.iterdir()] == ["acme-1.yml"]


def test_a_template_of_an_added_folder_is_refused(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "more" / "templates").mkdir(parents=True)
    (tmp_path / "more" / "templates" / "acme-2.yml").write_text("{}")
    with pytest.raises(ReplicaError, match="acme-2 is a template of"):
        make(replace(installation, added=(tmp_path / "more",)), "acme", ONE, templates=("acme-1", "acme-2"))


def test_the_newest_row_of_an_image_holds(installation: Installation) -> None:
    make(installation, "other", ONE)
    install(installation, "acme", templates={"acme": ""}, rows={ONE: row("e")}, card={"templates": ["acme"]})
    assert json.loads(installation.allowlist.read_text())["images"][ONE] == row("e")


def test_a_card_that_could_not_be_read_again_is_refused(installation: Installation) -> None:
    card = {"templates": ["acme"], "plan": "x" * MAX_CARD_BYTES}
    with pytest.raises(ReplicaError, match="import fewer hosts at once"):
        install(installation, "acme", templates={"acme": ""}, rows={ONE: row("a")}, card=card)
    assert pinned(installation) == [WEB]


@pytest.mark.parametrize("content", ["damaged", "[" * 200_000])
def test_a_replica_whose_card_does_not_read_can_be_removed(installation: Installation, content: str) -> None:
    make(installation, "acme", ONE, templates=("acme-1", "acme-2"))
    make(installation, "acme-3", TWO)
    (installation.replicas / "acme" / "replica.json").write_text(content)
    assert remove(installation, "acme") == (ONE,)
    assert pinned(installation) == [TWO, WEB]
    assert [path.name for path in installation.replica_templates.iterdir()] == ["acme-3.yml"]
    with pytest.raises(ReplicaError, match="there is no replica 'templates'"):
        remove(installation, "templates")
