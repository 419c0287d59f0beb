"""Rows of the allowlist of installed replicas and scanners: building the project's own images keeps them."""

import json
from pathlib import Path
from typing import Any

REPLICAS = "replicas"
"""The folder of installed replicas, beside the allowlist."""
ROWS = "allowlist.json"
"""Its rows, in each replica's folder."""
STAND_IN = "discovery/test-stand-in:"
SCANNERS = "scanners"
"""The folder of added scanners, beside the allowlist."""
SCANNER = "discovery/test-collector-"


def installed_rows(state: Path) -> dict[str, Any]:
    """Return the rows of everything that is installed by image; a file that does not read has none."""
    found: dict[str, Any] = {}
    places = [(path, STAND_IN) for path in sorted((state / REPLICAS).glob(f"*/{ROWS}"))]
    for path, prefix in (*places, (state / SCANNERS / ROWS, SCANNER)):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        rows = content.get("images") if isinstance(content, dict) else None
        if isinstance(rows, dict):
            # Nothing that lies there can pin another image than a stand-in, or a scanner.
            found.update({name: row for name, row in rows.items() if name.startswith(prefix)})
    return found
