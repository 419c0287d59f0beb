"""What was decided on is known by its digest, and when a discovery was missed last."""

from alembic import op

revision = "0020"
down_revision = "0019"

# Of a pending one that is gone, the data is what was decided on when nothing but that happened since. Of
# others it is not known any more: those that return are `changed`.
_FILL = """
UPDATE gateway.discoveries SET decided_sha256 = sha256(convert_to(data::text, 'UTF8'))
WHERE decided_as IS NOT NULL
    AND (status <> 'pending' OR (gone_at IS NOT NULL AND decided_revision = revision - 1))
"""


def upgrade() -> None:
    """Add the columns; misses counted so far count as if their scans had ended long ago."""
    for statement in (
        "ALTER TABLE gateway.discoveries ADD decided_sha256 bytea, ADD missed_at timestamptz",
        _FILL,
        "ALTER TABLE gateway.production_scans ADD reported_at timestamptz NOT NULL DEFAULT now()",
        "CREATE INDEX production_scans_of_a_day ON gateway.production_scans (collector, reported_at)",
    ):
        op.execute(statement)
