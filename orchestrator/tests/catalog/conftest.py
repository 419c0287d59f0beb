import pytest
from small_template import SMALL


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "small.yml").write_text(SMALL)
    return folder
