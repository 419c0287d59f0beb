"""Images in a file: what was exported is there on another machine, and nothing else ever is."""

import asyncio
import hashlib
import io
import json
import tarfile

import pytest

from dryrun_local.images.archive import ArchiveError, written_archive
from dryrun_local.images.building import build_images, list_images
from dryrun_local.images.exchange import export_images, import_images
from dryrun_local.images.folders import load_folders
from dryrun_local.images.programs import ProgramError

WEB = "discovery/test-web:1"


def build(root, allowlist, **options):
    return asyncio.run(build_images(root, allowlist, **options))


def calls(docker, verb):
    lines = map(json.loads, (docker / "calls").read_text().splitlines())
    return [line for line in lines if line[0] == verb]


def export(root, allowlist, path):
    return asyncio.run(export_images(path, load_folders(root), root, allowlist))


def take(root, allowlist, path):
    return asyncio.run(import_images(path, load_folders(root), root, allowlist, lambda _: None))


def test_a_file_in_a_folder_that_is_not_there_is_refused_before_the_engine_writes(
    docker, root, allowlist, tmp_path
):
    build(root, allowlist)
    with pytest.raises(ArchiveError, match="there is no folder "):
        export(root, allowlist, tmp_path / "nowhere" / "images.tar")
    with pytest.raises(ArchiveError, match="it is a folder; name a file"):
        export(root, allowlist, tmp_path)
    assert not calls(docker, "save")


@pytest.fixture
def exported(docker, root, allowlist, tmp_path):
    """A file with all four images, and an engine and a state that know nothing."""
    build(root, allowlist)
    path = tmp_path / "images.tar"
    export(root, allowlist, path)
    (docker / "images.json").unlink()
    (docker / "calls").unlink()
    pinned = json.loads(allowlist.read_text())
    allowlist.unlink()
    return path, pinned


def content_of(path):
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    return json.loads(files.pop("index.json"))["about"], files


def write(path, about, files):
    with written_archive(path, "images") as writer:
        writer.about = about
        for name, content in files.items():
            writer.add(name, io.BytesIO(content), len(content))


def test_another_machine_pins_what_this_one_built_and_builds_nothing(docker, exported, root, allowlist):
    path, pinned = exported
    done = take(root, allowlist, path)
    assert len(done.taken) == 4
    assert json.loads(allowlist.read_text()) == pinned
    assert {each.state for each in asyncio.run(list_images(root))} == {"current"}
    assert {result.state for result in build(root, allowlist)} == {"unchanged"}
    assert calls(docker, "run") == [], "facts came with the images"


def test_what_is_here_is_not_loaded_again(docker, exported, root, allowlist):
    path, _ = exported
    take(root, allowlist, path)
    done = take(root, allowlist, path)
    assert (len(done.taken), len(done.here)) == (0, 4)
    assert len(calls(docker, "load")) == 1


def test_rights_come_from_this_checkout_and_never_from_the_file(docker, exported, root, allowlist):
    path, pinned = exported
    about, files = content_of(path)
    about[WEB]["facts"] = {"version": "9.9"}
    write(path, about, files)
    take(root, allowlist, path)
    row = json.loads(allowlist.read_text())["images"][WEB]
    assert row == pinned["images"][WEB] | {"facts": {"version": "9.9"}}
    about[WEB]["capabilities"] = ["SYS_ADMIN"]
    write(path, about, files)
    with pytest.raises(ArchiveError, match="is not known here"):
        take(root, allowlist, path)


def test_an_image_whose_folder_changed_since_is_left_out(docker, exported, root, allowlist):
    path, _ = exported
    (root / "images" / "web" / "page.html").write_text("new")
    done = take(root, allowlist, path)
    assert (done.outdated, len(done.taken)) == ((WEB,), 3)
    states = {each.image: each.state for each in asyncio.run(list_images(root))}
    assert states[WEB] == "missing"


def test_a_name_that_no_folder_builds_is_refused(docker, exported, root, allowlist):
    path, _ = exported
    about, files = content_of(path)
    about["debian:13"] = about[WEB]
    write(path, about, files)
    with pytest.raises(ArchiveError, match="no folder of this checkout builds: debian:13"):
        take(root, allowlist, path)
    assert calls(docker, "load") == []


def test_an_image_that_is_not_what_its_id_says_is_refused_before_the_engine_sees_it(
    docker,
    exported,
    root,
    allowlist,
):
    path, _ = exported
    about, files = content_of(path)
    layer = next(
        name for name, content in files.items() if content.startswith(f"the files of {WEB} ".encode())
    )
    write(path, about, files | {layer: b"something else"})
    with pytest.raises(ArchiveError, match="another SHA-256 than its name says"):
        take(root, allowlist, path)
    other = f"blobs/sha256/{hashlib.sha256(b'something else').hexdigest()}"
    write(
        path,
        about,
        {name: each for name, each in files.items() if name != layer} | {other: b"something else"},
    )
    with pytest.raises(ArchiveError, match="not have exactly the layers of its images"):
        take(root, allowlist, path)
    write(path, about, files | {other: b"something else"})
    with pytest.raises(ArchiveError, match="not have exactly the layers of its images"):
        take(root, allowlist, path)
    assert calls(docker, "load") == []


def test_another_image_than_the_allowlist_pins_is_refused(docker, exported, root, allowlist):
    path, pinned = exported
    pinned["images"][WEB]["id"] = "sha256:" + "0" * 64
    allowlist.write_text(json.dumps(pinned))
    with pytest.raises(ArchiveError, match="the allowlist pins sha256:0000"):
        take(root, allowlist, path)
    assert calls(docker, "load") == []


def test_an_image_of_a_folder_that_changed_is_replaced_as_by_a_build(docker, root, allowlist, tmp_path):
    build(root, allowlist)
    before = json.loads(allowlist.read_text())["images"][WEB]
    (root / "images" / "web" / "page.html").write_text("new")
    older = (docker / "images.json").read_text(), allowlist.read_text()
    build(root, allowlist)
    export(root, allowlist, tmp_path / "images.tar")
    newer = json.loads(allowlist.read_text())["images"][WEB]
    (docker / "images.json").write_text(older[0])
    allowlist.write_text(older[1])
    assert take(root, allowlist, tmp_path / "images.tar").taken == (WEB,)
    assert json.loads(allowlist.read_text())["images"][WEB] == newer != before


def test_an_image_with_a_volume_is_refused(docker, exported, root, allowlist):
    path, _ = exported
    about, files = content_of(path)
    old = about[WEB]["id"].replace("sha256:", "blobs/sha256/")
    config = json.loads(files.pop(old))
    config["config"]["Volumes"] = {"/data": {}}
    text = json.dumps(config).encode()
    digest = hashlib.sha256(text).hexdigest()
    about[WEB]["id"] = f"sha256:{digest}"
    write(path, about, files | {f"blobs/sha256/{digest}": text})
    with pytest.raises(ArchiveError, match="VOLUME /data"):
        take(root, allowlist, path)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"config": 1, "rootfs": 2}', b'{"rootfs": {"diff_ids": [1]}}', b"[" * 99]
)
def test_an_invalid_config_is_refused(docker, exported, root, allowlist, text):
    path, _ = exported
    digest = hashlib.sha256(text).hexdigest()
    write(path, {WEB: {"id": f"sha256:{digest}"}}, {f"blobs/sha256/{digest}": text})
    with pytest.raises(ArchiveError, match=r"not that of an image|something other than layers"):
        take(root, allowlist, path)


def test_only_what_is_built_and_current_is_exported(docker, root, allowlist, tmp_path):
    with pytest.raises(ProgramError, match="images build"):
        export(root, allowlist, tmp_path / "images.tar")
    build(root, allowlist)
    (root / "images" / "web" / "page.html").write_text("new")
    with pytest.raises(ProgramError, match=f"{WEB} is not built"):
        export(root, allowlist, tmp_path / "images.tar")
    assert not (tmp_path / "images.tar").exists()


def test_an_engine_that_fails_is_quoted_and_leaves_no_file(docker, root, allowlist, tmp_path):
    build(root, allowlist)
    program = docker / "docker"
    broken = '"save": lambda: "no space left on device"'
    program.write_text(program.read_text().replace('"save": lambda: save(arguments[1:])', broken))
    with pytest.raises(ProgramError, match="no space left on device"):
        export(root, allowlist, tmp_path / "images.tar")
    assert [path.name for path in tmp_path.iterdir() if "images.tar" in path.name] == []


def test_a_part_is_built_and_the_rest_stays_pinned(docker, root, allowlist):
    build(root, allowlist)
    before = json.loads(allowlist.read_text())
    (root / "images" / "web" / "page.html").write_text("new")
    (root / "images" / "mail" / "page.html").write_text("new")
    results = build(root, allowlist, only={"discovery/test-mail:1"})
    assert {(result.folder, result.state) for result in results} == {("base", "unchanged"), ("mail", "built")}
    after = json.loads(allowlist.read_text())
    assert after["images"][WEB] == before["images"][WEB]
