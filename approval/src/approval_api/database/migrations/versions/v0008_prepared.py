"""A session may have been prepared ahead of its request."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add when that was; null for a session that started cold."""
    op.execute("ALTER TABLE gateway.dryrun_sessions ADD prepared_at timestamptz")
