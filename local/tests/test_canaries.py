"""`images/canaries.txt` names every value that is sown in the images and must never be reported."""

import re
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "images"
LISTED = [
    tuple(line.split()) for line in (IMAGES / "canaries.txt").read_text().splitlines() if line[:1] != "#"
]


def test_every_value_that_is_sown_is_listed_once() -> None:
    sown = {
        (path.relative_to(IMAGES).parts[0], found)
        for path in IMAGES.glob("*/**/*")
        if path.is_file() and "__pycache__" not in path.parts
        for found in re.findall(r"CANARY-[a-z0-9-]+", path.read_text(errors="replace"))
    }
    assert sorted(sown) == sorted(LISTED)


def test_no_value_is_part_of_another() -> None:
    values = [value for _, value in LISTED]
    assert [(one, two) for one in values for two in values if one != two and one in two] == []
