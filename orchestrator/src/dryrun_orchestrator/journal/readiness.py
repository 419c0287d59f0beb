"""How long each image took from its start to its first healthy check: what starts first, and nothing else."""

import sqlite3
from collections.abc import Mapping

MAX_IMAGES = 1_000
WEIGHT = 0.5
"""Weight of the newest measurement; a busy minute is forgotten after a few sessions."""


def read(connection: sqlite3.Connection) -> dict[str, float]:
    """Return the seconds by image id."""
    return {row[0]: float(row[1]) for row in connection.execute("SELECT image_id, seconds FROM readiness")}


def remember(connection: sqlite3.Connection, seconds: Mapping[str, float], at: str) -> None:
    """Take in new measurements; beyond MAX_IMAGES the ones measured longest ago are deleted."""
    connection.executemany(
        "INSERT INTO readiness (image_id, seconds, measured_at) VALUES (?,?,?)"
        " ON CONFLICT (image_id) DO UPDATE SET seconds = seconds + ? * (excluded.seconds - seconds),"
        " measured_at = excluded.measured_at",
        [(image_id, value, at, WEIGHT) for image_id, value in seconds.items()],
    )
    connection.execute(
        "DELETE FROM readiness WHERE image_id NOT IN"
        " (SELECT image_id FROM readiness ORDER BY measured_at DESC, image_id LIMIT ?)",
        (MAX_IMAGES,),
    )
