"""Sessions of one template are read by time."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the index."""
    op.execute(
        "CREATE INDEX dryrun_sessions_of_template "
        "ON gateway.dryrun_sessions (template, requested_at DESC, id DESC)"
    )
