import os

import pytest

from dryrun_contract.problem import Fault
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)


def test_a_regular_file_is_read_as_it_is(tmp_path):
    (tmp_path / "a.yml").write_bytes(b"a: 1\r\n")
    assert read_regular_file(tmp_path / "a.yml", max_bytes=6) == b"a: 1\r\n"


def test_a_link_is_refused_even_to_a_file_of_the_same_folder(tmp_path):
    (tmp_path / "a.yml").write_bytes(b"a: 1")
    (tmp_path / "b.yml").symlink_to(tmp_path / "a.yml")
    with pytest.raises(UnreadableFileError, match="symbolic link"):
        read_regular_file(tmp_path / "b.yml")


def test_a_folder_and_a_pipe_are_refused_without_waiting(tmp_path):
    (tmp_path / "folder.yml").mkdir()
    os.mkfifo(tmp_path / "pipe.yml")
    for name in ("folder.yml", "pipe.yml"):
        with pytest.raises(UnreadableFileError, match="not a regular file"):
            read_regular_file(tmp_path / name)


def test_a_file_of_one_byte_too_many_is_refused(tmp_path):
    (tmp_path / "a.yml").write_bytes(b"x" * (256 * 1024 + 1))
    with pytest.raises(UnreadableFileError, match="larger than 256 KiB"):
        read_regular_file(tmp_path / "a.yml")


def test_a_missing_file_is_reported_with_the_reason(tmp_path):
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_regular_file(tmp_path / "a.yml")


def test_an_error_lists_every_fault_with_its_place():
    error = OperatorFileError(
        "the file", [Fault(where="a.yml:1", what="x"), Fault(where="a.yml:2", what="y")]
    )
    assert str(error).splitlines() == ["the file: 2 problems", "  a.yml:1: x", "  a.yml:2: y"]
