from canaries import found_in, seeded


def test_a_canary_in_any_file_is_found(tmp_path):
    value = seeded()[0][1]
    assert found_in(tmp_path) == []
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "pages.bin").write_bytes(b"\0\xff" + value.encode() + b"\0")
    assert found_in(tmp_path) == [f"deep/er/pages.bin: {value}"]
