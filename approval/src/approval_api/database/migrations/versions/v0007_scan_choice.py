"""A session may be scanned by other installed collectors, with another profile or rate."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the choice; sessions so far left everything to their template."""
    op.execute("ALTER TABLE gateway.dryrun_sessions ADD scan jsonb NOT NULL DEFAULT '{}'")
