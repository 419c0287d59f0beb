"""Sessions wait for a free place: when one was admitted is kept beside when it was asked for."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; whatever was asked for until now was admitted at once."""
    op.execute("ALTER TABLE gateway.dryrun_sessions ADD admitted_at timestamptz")
    op.execute("UPDATE gateway.dryrun_sessions SET admitted_at = requested_at")
    op.execute(
        "CREATE INDEX dryrun_sessions_unended ON gateway.dryrun_sessions (requested_at, id) "
        "WHERE phase <> 'ended'"
    )
