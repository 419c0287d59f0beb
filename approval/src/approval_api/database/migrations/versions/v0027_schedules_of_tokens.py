"""The token that made or resumed a schedule, which pauses when that token ends."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the column. Those that exist go on: nobody knows what made them."""
    op.execute("ALTER TABLE gateway.schedules ADD token_id uuid")
