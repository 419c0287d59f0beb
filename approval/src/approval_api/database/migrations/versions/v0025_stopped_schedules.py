"""When a schedule stopped by itself, of which its owner is told."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the column. Nobody is told of what stopped before."""
    op.execute("ALTER TABLE gateway.schedules ADD stopped_at timestamptz")
