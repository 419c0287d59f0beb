"""The example in `images/README.md` is an image folder that the builder takes."""

import re
import shutil
from pathlib import Path

from dryrun_local.images.manifest import load_folders

IMAGES = Path(__file__).resolve().parents[3] / "images"


def test_the_example_is_a_valid_folder_of_at_most_fifteen_lines(tmp_path: Path) -> None:
    guide = (IMAGES / "README.md").read_text()
    shown = re.findall(r"^`images/(page-cache/\S+)`:\n\n```\w+\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in shown] == ["page-cache/image.yml", "page-cache/Dockerfile"]
    assert sum(len(text.splitlines()) for _, text in shown) <= 15
    for parent in ("base", "servers"):
        shutil.copytree(IMAGES / parent, tmp_path / "images" / parent)
    (tmp_path / "images" / "page-cache").mkdir()
    for name, text in shown:
        (tmp_path / "images" / name).write_text(text)
    manifest = load_folders(tmp_path)["page-cache"].manifest
    assert manifest.allowlisted
    assert len(manifest.ground_truth) == 2
