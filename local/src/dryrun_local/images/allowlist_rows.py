"""Rows of the allowlist by image: its own file, and those of installed replicas and scanners beside it.

Building the project's own images keeps the rows of what is installed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.files import write_atomically
from dryrun_orchestrator.catalog.allowlist import STAND_IN

REPLICAS = "replicas"
"""The folder of installed replicas, beside the allowlist."""
ROWS = "allowlist.json"
"""Its rows, in each replica's folder."""
SCANNERS = "scanners"
"""The folder of added scanners, beside the allowlist."""
SCANNER = "discovery/test-collector-"
_VERSION: Final = 1


class RowsError(LocalError):
    """A file of rows is missing or damaged."""


def rows_in(path: Path) -> dict[str, Any] | None:
    """Return the rows of a file; None where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    rows = content.get("images") if isinstance(content, dict) else None
    return rows if isinstance(rows, dict) else None


def require_rows(path: Path) -> dict[str, Any]:
    """Return the rows of a file. Raises RowsError."""
    rows = rows_in(path)
    if rows is None:
        raise RowsError(f"{path} is missing or damaged; `dryrun-local images build` writes it")
    return rows


def write_rows(path: Path, rows: Mapping[str, Any]) -> None:
    """Write a file of rows, by image; one that has them already stays as it is."""
    text = json.dumps({"version": _VERSION, "images": dict(sorted(rows.items()))}, indent=2) + "\n"
    if not path.is_file() or path.read_bytes() != text.encode():
        write_atomically(path, text)


def installed_rows(state: Path) -> dict[str, Any]:
    """Return the rows of everything that is installed by image; a file that does not read has none."""
    found: dict[str, Any] = {}
    places = [(path, STAND_IN) for path in sorted((state / REPLICAS).glob(f"*/{ROWS}"))]
    for path, prefix in (*places, (state / SCANNERS / ROWS, SCANNER)):
        # Nothing that lies there can pin another image than a stand-in, or a scanner.
        rows = rows_in(path) or {}
        found.update({name: row for name, row in rows.items() if name.startswith(prefix)})
    return found
