"""Values that are seeded in the simulated servers, or are their passwords, and must appear nowhere else.

Names of databases, tables and columns are what collectors are for; what stands in them is nobody's business.
"""

from collections.abc import Iterator
from pathlib import Path

MARK = "CANARY-"
ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "images"


def seeded() -> list[tuple[str, str]]:
    """Return image folder and value of every canary."""
    lines = (IMAGES / "canaries.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    return [(folder, value) for folder, value in pairs]


def found_in(folder: Path) -> list[str]:
    """Return `file: value` for every canary in any file below `folder`: logs, journal, database, reports.

    Files are read as bytes: rows and write-ahead log of PostgreSQL, events in SQLite and texts alike. A
    template names logins of its targets; a copy of it as it was installed, byte for byte, counts for nothing.
    """
    templates = {path.read_bytes() for path in (ROOT / "templates").glob("*.yml")}
    values = sorted({value for _, value in seeded()})
    marked = [value for value in values if value.startswith(MARK)]
    others = [value for value in values if not value.startswith(MARK)]
    return sorted(
        f"{path.relative_to(folder)}: {value}"
        for path, content in _files(folder)
        if content not in templates
        # Most files contain none, which one search shows.
        for value in (others + marked if MARK.encode() in content else others)
        if value.encode() in content
    )


def mentions(folder: Path, text: str) -> bool:
    """Return whether `text` stands in any file: that something is found where it should be."""
    return any(text.encode() in content for _, content in _files(folder))


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()
        except OSError:
            continue  # gone meanwhile, as files of a database may be
