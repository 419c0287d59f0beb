import pytest
from canaries import IMAGES, found_in, mentions, seeded


@pytest.mark.parametrize(("folder", "value"), seeded())
def test_every_canary_is_seeded_where_the_list_says(folder, value):
    assert mentions(IMAGES / folder, value)


def test_a_canary_in_any_file_is_found(tmp_path):
    value = seeded()[0][1]
    assert found_in(tmp_path) == []
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "pages.bin").write_bytes(b"\0\xff" + value.encode() + b"\0")
    assert found_in(tmp_path) == [f"deep/er/pages.bin: {value}"]
