import json

import pytest

from dryrun_local.images.allowlist_rows import RowsError, require_rows, rows_in, write_rows


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"[]", b"{}", b'{"images": []}', b"[" * 200_000])
def test_a_missing_or_damaged_file_has_no_rows(tmp_path, content):
    path = tmp_path / "allowlist.json"
    if content is not None:
        path.write_bytes(content)
    assert rows_in(path) is None
    with pytest.raises(RowsError, match=r"allowlist.json is missing or damaged; `dryrun-local images build`"):
        require_rows(path)


def test_rows_are_written_by_image_and_read_again(tmp_path):
    path = tmp_path / "folder" / "allowlist.json"
    write_rows(path, {"b": {"id": "2"}, "a": {"id": "1"}})
    assert list(json.loads(path.read_bytes())["images"]) == ["a", "b"]
    assert require_rows(path) == {"a": {"id": "1"}, "b": {"id": "2"}}


@pytest.mark.parametrize("before", [b"{", b'{"version": 0, "images": {"a": {}}}'])
def test_only_a_file_that_has_the_rows_already_stays(tmp_path, before):
    path = tmp_path / "allowlist.json"
    path.write_bytes(before)
    write_rows(path, {"a": {}})
    first = path.stat().st_ino
    assert rows_in(path) == {"a": {}}
    write_rows(path, {"a": {}})
    assert path.stat().st_ino == first
    write_rows(path, {})
    assert rows_in(path) == {}
