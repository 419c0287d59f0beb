import dataclasses
import json
import os

import pytest
from small_disk import filled, small_disk
from stage import ALLOWLIST, TEMPLATE, Stage

from dryrun_orchestrator.catalog.installed import OperatorFiles, Places
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.storage import NotStoredError


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path, engine=object())
    made.write_collectors()
    return made


@pytest.fixture
def places(tmp_path, stage):
    return Places(tmp_path / "allowlist.json", tmp_path / "collectors", tmp_path / "templates")


@pytest.fixture
def files(tmp_path, places):
    return OperatorFiles(places, tmp_path / "kept")


def test_a_template_that_is_installed_later_is_there(files, places):
    (places.templates / "more.yml").write_text(TEMPLATE)
    assert files.current.templates.ids() == ("two",)
    files.reread()
    assert files.current.templates.ids() == ("more", "two")
    (places.templates / "two.yml").unlink()
    files.reread()
    assert files.current.templates.ids() == ("more",)


def test_an_allowlist_rewritten_in_place_with_its_old_size_and_time_is_seen(files, places):
    before = places.allowlist.stat()
    text = places.allowlist.read_text()
    places.allowlist.write_text(text.replace('"id": "sha256:000', '"id": "sha256:111', 1))
    os.utime(places.allowlist, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = places.allowlist.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    files.reread()
    assert files.image("discovery/test-web:1").id.startswith("sha256:111")


@pytest.mark.parametrize("what", ["allowlist", "no allowlist", "manifest", "template", "revoked"])
def test_what_is_not_good_leaves_the_last_good_files_in_use(files, places, what):
    before = files.current
    match what:
        case "allowlist":
            places.allowlist.write_text("{")
        case "no allowlist":
            places.allowlist.unlink()
        case "manifest":
            (places.collectors / "network.yml").write_text("name: [")
        case "template":
            (places.templates / "two.yml").write_text("services: {}")
        case "revoked":
            fewer = {name: row for name, row in ALLOWLIST["images"].items() if "db" not in name}
            places.allowlist.write_text(json.dumps({"version": 1, "images": fewer}))
    files.reread()
    assert files.current is before
    assert files.fault
    places.allowlist.write_text(json.dumps(ALLOWLIST))
    (places.templates / "two.yml").write_text(TEMPLATE)
    Stage.write_collectors(stage_at(places))
    files.reread()
    assert files.fault is None


def stage_at(places):
    made = object.__new__(Stage)
    made.folder, made.timeouts = places.collectors.parent, {"network": 30, "database": 30}
    return made


def test_at_the_start_bad_files_are_refused(places, tmp_path):
    places.allowlist.write_text("{")
    with pytest.raises(OperatorFileError, match="allowlist"):
        OperatorFiles(places, tmp_path / "kept")


def test_kept_files_read_as_they_were_and_only_as_they_were(files, places, tmp_path):
    began_with = files.current
    files.keep(began_with)
    (places.templates / "two.yml").write_text(TEMPLATE.replace("Two targets", "Changed"))
    later = OperatorFiles(places, tmp_path / "kept")
    kept = later.of(began_with.digest)
    assert kept.templates.get("two").digest == began_with.templates.get("two").digest
    assert later.current.templates.get("two").digest != kept.templates.get("two").digest
    (tmp_path / "kept" / began_with.digest / "templates" / "two.yml").write_text(TEMPLATE + "# other")
    assert later.of(began_with.digest) is None
    assert later.of("0" * 64) is None


def test_a_copy_that_does_not_fit_is_refused_and_made_once_it_fits(places, tmp_path):
    with small_disk(tmp_path / "small") as disk:
        files = OperatorFiles(places, disk / "kept")
        # Room for its folders, and for one of its files.
        with (
            filled(disk, leaving=4096),
            pytest.raises(NotStoredError, match=f"installed files .* free space in {disk}"),
        ):
            files.keep(files.current)
        assert list((disk / "kept").iterdir()) == [], "what is of no use takes no room"
        files.keep(files.current)
        (places.templates / "two.yml").unlink()
        began_with = files.current.digest
        assert OperatorFiles(places, disk / "kept").of(began_with).digest == began_with


def test_copies_are_removed_once_no_session_needs_them(files, places, tmp_path):
    first = files.current
    files.keep(first)
    (places.templates / "two.yml").write_text(TEMPLATE.replace("Two targets", "Changed"))
    files.reread()
    os.utime(tmp_path / "kept" / first.digest, (1, 1))
    files.forget([first.digest])
    assert files.of(first.digest) is not None
    files.forget([])
    assert files.of(first.digest) is None


def test_an_old_copy_stays_for_a_session_that_is_being_stored(files, places, tmp_path):
    first = files.current
    files.keep(first)
    os.utime(tmp_path / "kept" / first.digest, (1, 1))
    files.keep(first)
    (places.templates / "two.yml").write_text(TEMPLATE.replace("Two targets", "Changed"))
    files.reread()
    files.forget([])
    assert files.of(first.digest) is not None


def test_templates_made_from_inventories_stand_beside_the_others(tmp_path, places):
    replicas = tmp_path / "replicas" / "templates"
    files = OperatorFiles(dataclasses.replace(places, replicas=replicas), tmp_path / "kept")
    assert files.current.templates.ids() == ("two",)
    replicas.mkdir(parents=True)
    (replicas / "acme.yml").write_text(TEMPLATE)
    files.reread()
    assert files.current.templates.ids() == ("acme", "two")
    files.keep(files.current)
    kept = files.of(files.current.digest)
    assert kept is not None
    assert kept.templates.ids() == ("acme", "two")


def test_a_replica_cannot_take_the_place_of_a_template(tmp_path, places):
    replicas = tmp_path / "replicas" / "templates"
    replicas.mkdir(parents=True)
    (replicas / "two.yml").write_text(TEMPLATE.replace("title: Two", "title: Another"))
    files = OperatorFiles(dataclasses.replace(places, replicas=replicas), tmp_path / "kept")
    assert files.current.contents["templates/two.yml"] == TEMPLATE.encode()
    assert [fault.what for fault in files.current.templates.faults()] == [
        "is not used: another folder has a template of this name"
    ]
