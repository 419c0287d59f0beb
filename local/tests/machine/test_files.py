import pytest

from dryrun_local.machine.errors import NotWrittenError
from dryrun_local.machine.files import write_atomically


def test_a_file_that_cannot_be_written_is_named_with_the_reason_and_nothing_is_left(tmp_path):
    (tmp_path / "allowlist.json").mkdir()
    (tmp_path / "logs").write_text("")
    for path, reason in (("allowlist.json", "Is a directory"), ("logs/a", "File exists")):
        with pytest.raises(NotWrittenError, match=rf"^{tmp_path / path} cannot be written: {reason}$"):
            write_atomically(tmp_path / path, "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["allowlist.json", "logs"]
