"""Writes the seeds and the ground truth of the large databases from their plan."""

import json
from collections.abc import Iterable
from pathlib import Path

import ground_truth
import sql
from estate import HOSTILE, MARIADB, MONGODB, POSTGRESQL

IMAGES = Path(__file__).resolve().parents[1]
# What templates' credential stores hold.
_LOGIN = "inventory_reader"
_POSTGRESQL_PASSWORD = "tide-table-8120"  # noqa: S105  opens nothing but these images
_MARIADB_PASSWORD = "ebb-chart-3307"  # noqa: S105  opens nothing but these images


def files() -> dict[Path, str]:
    """Return every file that the plan determines, with its content."""
    postgresql, mariadb, mongodb, hostile = (
        IMAGES / name for name in ("postgres-large", "mariadb-large", "mongodb-large", "hostile-database")
    )
    collections = [
        {"database": database.name, "collection": table.name, "fields": table.columns, "rows": table.rows}
        for database in MONGODB.databases
        for _, table in database.tables()
    ]
    return {
        postgresql / "seed.sql": _text(sql.postgresql(POSTGRESQL, _LOGIN, _POSTGRESQL_PASSWORD)),
        mariadb / "seed.sql": _text(sql.mariadb(MARIADB, _LOGIN, _MARIADB_PASSWORD)),
        mongodb / "seed.json": json.dumps(
            {"canary": MONGODB.canary, "collections": collections}, ensure_ascii=False, indent=1
        )
        + "\n",
        postgresql / "image.yml": ground_truth.replaced(
            (postgresql / "image.yml").read_text(), ground_truth.facts(POSTGRESQL, ":5432/tcp", "postgresql")
        ),
        hostile / "seed.sql": _text(sql.postgresql(HOSTILE, _LOGIN, _POSTGRESQL_PASSWORD)),
        hostile / "image.yml": ground_truth.replaced(
            (hostile / "image.yml").read_text(), ground_truth.facts(HOSTILE, ":5432/tcp", "postgresql")
        ),
        mariadb / "image.yml": ground_truth.replaced(
            (mariadb / "image.yml").read_text(), ground_truth.facts(MARIADB, ":3306/tcp", "mariadb")
        ),
        mongodb / "image.yml": ground_truth.replaced(
            (mongodb / "image.yml").read_text(),
            ground_truth.facts(MONGODB, ":27017/tcp", "mongodb", extra_column="_id"),
        ),
    }


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    for path, content in files().items():
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            print(f"wrote {path.relative_to(IMAGES.parent)}")


if __name__ == "__main__":
    main()
