"""Archives: what was written is read, and nothing else is."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dryrun_local.images.archive import (
    INDEX,
    ArchiveBounds,
    ArchiveError,
    opened_archive,
    written_archive,
)

BOUNDS = ArchiveBounds(files=20, file_size=100_000, total=1_000_000, index_size=100_000)
CONTENT = {"blobs/sha256/aa": b"x" * 1500, "template.yml": b"services: {}\n", "empty": b""}


def write(path: Path, files=CONTENT, about=None):
    with written_archive(path, "network") as writer:
        writer.about = about
        for name, content in files.items():
            writer.add(name, io.BytesIO(content), len(content))
    return path


def read_all(archive):
    for name in archive.files:
        for _ in archive.chunks(name):
            pass


def read(path: Path, bounds=BOUNDS, kind="network"):
    with opened_archive(path, kind, bounds) as archive:
        read_all(archive)
        return {name: archive.read(name, 10_000) for name in archive.files}, archive.about


def test_what_was_written_is_read_and_equal_content_gives_equal_bytes(tmp_path):
    first, second = (
        write(tmp_path / "a.tar", about={"name": "ours"}),
        write(tmp_path / "b.tar", about={"name": "ours"}),
    )
    assert read(first) == (CONTENT, {"name": "ours"})
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        assert tar.getnames() == [*CONTENT, INDEX], "any tar lists it"


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with (
        pytest.raises(ArchiveError, match="ended 1 bytes before"),
        written_archive(tmp_path / "a.tar", "images") as writer,
    ):
        writer.add("short", io.BytesIO(b""), 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a//b", ".hidden", "a/../b", INDEX, "x" * 101, "a\n", ""]
)
def test_a_name_that_leaves_the_archive_is_not_written(tmp_path, name):
    with pytest.raises(ArchiveError, match="cannot be the name"):
        write(tmp_path / "a.tar", {name: b""})


def foreign(path: Path, *heads: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for head in heads:
            tar.addfile(head, io.BytesIO(content) if head.size else None)
    return path


def head(name, kind=tarfile.REGTYPE, size=0, **more):
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, size
    for key, value in more.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize(
    "entry",
    [
        head("link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        head("hard", tarfile.LNKTYPE, linkname="template.yml"),
        head("folder", tarfile.DIRTYPE),
        head("device", tarfile.CHRTYPE, devmajor=1, devminor=5),
        head("pipe", tarfile.FIFOTYPE),
        head("../../outside"),
        head("/absolute"),
        head("n" * 300),
        head("odd", pax_headers={"comment": "x" * 100}),
    ],
    ids=lambda entry: entry.name[:20],
)
def test_anything_but_plain_files_of_plain_names_is_refused(tmp_path, entry):
    with pytest.raises(ArchiveError, match="something other than plain files"):
        read(foreign(tmp_path / "a.tar", entry))


def test_a_file_that_is_not_what_the_index_says_is_refused(tmp_path):
    path = write(tmp_path / "a.tar")
    changed = path.read_bytes().replace(b"services", b"servicez", 1)
    path.write_bytes(changed)
    with opened_archive(path, "network", BOUNDS) as archive:
        assert archive.read("empty", 1) == b""
        with pytest.raises(ArchiveError, match=r"template\.yml does not have the SHA-256"):
            read_all(archive)
        with pytest.raises(ArchiveError, match=r"template\.yml does not have the SHA-256"):
            archive.read("template.yml", 1000)


def test_what_was_opened_is_read_also_when_another_file_takes_its_name(tmp_path):
    path = write(tmp_path / "a.tar")
    with opened_archive(path, "network", BOUNDS) as archive:
        write(path, {"template.yml": b"other"})
        assert archive.read("template.yml", 1000) == CONTENT["template.yml"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda index: index["files"].pop("empty"), "not those of its index"),
        (lambda index: index["files"]["empty"].update(size=1), "not those of its index"),
        (lambda index: index["files"].update({"../x": {"size": 0, "sha256": "0" * 64}}), "pattern"),
        (lambda index: index.update(version=2), "version"),
        (lambda index: index.update(kind="images"), "another kind"),
        (lambda index: index.update(extra=1), "extra"),
        (lambda index: index.update(about=[[]] * 40_000), "more than"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(tmp_path, change, words):
    path = write(tmp_path / "a.tar")
    with tarfile.open(path) as tar:
        index = json.load(tar.extractfile(INDEX))
    change(index)
    text = json.dumps(index).encode()
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in (CONTENT | {INDEX: text}).items():
            tar.addfile(head(name, size=len(content)), io.BytesIO(content))
    with pytest.raises(ArchiveError, match=words):
        read(tmp_path / "b.tar")


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (ArchiveBounds(files=2, file_size=100_000, total=1_000_000), "more than 2 files"),
        (ArchiveBounds(files=20, file_size=1000, total=1_000_000), "has more than 1,000 bytes"),
        (ArchiveBounds(files=20, file_size=100_000, total=1000), "or 1,000 bytes"),
        (ArchiveBounds(files=20, file_size=100_000, total=1_000_000, index_size=10), "more than 10 bytes"),
    ],
)
def test_bounds_hold(tmp_path, bounds, words):
    path = write(tmp_path / "a.tar")
    with pytest.raises(ArchiveError, match=words):
        read(path, bounds)


def test_a_head_that_promises_more_than_there_is_costs_nothing(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(head("huge", size=8**11 - 1).tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(ArchiveError, match=r"more than|cut off"):
        read(path)


def test_a_pipe_a_folder_and_nothing_are_no_archive(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "missing", tmp_path):
        with pytest.raises(ArchiveError, match=r"is not a file|cannot be read"):
            read(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), bytes_=st.binary(min_size=1, max_size=30), cut=st.booleans())
def test_a_damaged_archive_is_refused_or_gives_what_was_written(tmp_path, at, bytes_, cut):
    path = write(tmp_path / "a.tar")
    whole = path.read_bytes()
    at %= len(whole)
    path.write_bytes(whole[:at] if cut else whole[:at] + bytes_ + whole[at + len(bytes_) :])
    try:
        content, _ = read(path)
    except ArchiveError:
        return
    assert content == CONTENT
