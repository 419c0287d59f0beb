"""Rows of the allowlist that belong to installed replicas: building the project's own images keeps them."""

import json
from pathlib import Path
from typing import Any

REPLICAS = "replicas"
"""The folder of installed replicas, beside the allowlist."""
ROWS = "allowlist.json"
"""Its rows, in each replica's folder."""
STAND_IN = "discovery/test-stand-in:"


def installed_rows(state: Path) -> dict[str, Any]:
    """Return the rows of all installed replicas by image; a file that does not read has none."""
    found: dict[str, Any] = {}
    for path in sorted((state / REPLICAS).glob(f"*/{ROWS}")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        rows = content.get("images") if isinstance(content, dict) else None
        if isinstance(rows, dict):
            # Nothing that lies there can pin another image than a stand-in.
            found.update({name: row for name, row in rows.items() if name.startswith(STAND_IN)})
    return found
