"""What a scan of production did not reach has a place of its own; it stood among what the scan excluded."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the column. Of older scans nobody can tell the two apart."""
    op.execute(
        "ALTER TABLE gateway.production_scans ADD not_covered cidr[] NOT NULL DEFAULT '{}' "
        "CHECK (cardinality(not_covered) <= 512)"
    )
