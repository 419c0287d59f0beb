"""`images/canaries.txt` names every value that is sown in the images and must never be reported."""

import re
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[3] / "images"
LISTED = {
    tuple(line.split(maxsplit=1))
    for line in (IMAGES / "canaries.txt").read_text().splitlines()
    if not line.startswith("#")
}


def _text_of(folder: str) -> str:
    files = (path for path in (IMAGES / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return "\n".join(path.read_text(errors="replace") for path in files)


def test_every_seeded_value_is_listed() -> None:
    sown = {
        (folder.name, found)
        for folder in IMAGES.iterdir()
        if folder.is_dir()
        for found in re.findall(r"CANARY-[a-z0-9-]+", _text_of(folder.name))
    }
    assert len(sown) > 30
    assert sown - LISTED == set()


def test_every_listed_value_is_seeded() -> None:
    assert [(folder, value) for folder, value in sorted(LISTED) if value not in _text_of(folder)] == []
