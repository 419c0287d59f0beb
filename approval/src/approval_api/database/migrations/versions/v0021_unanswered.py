"""How often in a row nothing came of what was sent to a destination outlives the process that sent it."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the column, and let the delivering process write it."""
    op.execute("ALTER TABLE gateway.destinations ADD unanswered integer NOT NULL DEFAULT 0")
    op.execute("GRANT UPDATE (unanswered) ON gateway.destinations TO approval_delivery")
