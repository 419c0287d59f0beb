import resource

import pytest

from dryrun_local.machine.errors import NotWrittenError
from dryrun_local.machine.files import write_atomically, write_private


def test_a_file_that_cannot_be_written_is_named_with_the_reason_and_nothing_is_left(tmp_path):
    (tmp_path / "allowlist.json").mkdir()
    (tmp_path / "logs").write_text("")
    for path, reason in (("allowlist.json", "Is a directory"), ("logs/a", "File exists")):
        with pytest.raises(NotWrittenError, match=rf"^{tmp_path / path} cannot be written: {reason}$"):
            write_atomically(tmp_path / path, "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["allowlist.json", "logs"]


@pytest.mark.parametrize("write", [write_atomically, write_private])
def test_a_file_that_does_not_fit_on_the_disk_stays_as_it_was(tmp_path, write):
    write(tmp_path / "secret", "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(NotWrittenError, match=r"secret cannot be written: File too large$"):
            write(tmp_path / "secret", "after" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("secret", "before")]
