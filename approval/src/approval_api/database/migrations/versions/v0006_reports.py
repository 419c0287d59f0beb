"""Reports are computed once for each state of a session, and kept."""

from alembic import op

revision = "0006"
down_revision = "0005"

_REPORTS = """
CREATE TABLE gateway.dryrun_reports (
    session_id uuid PRIMARY KEY REFERENCES gateway.dryrun_sessions ON DELETE CASCADE,
    state bytea NOT NULL,
    final boolean NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    figures jsonb,
    report bytea,
    failure text,
    CHECK ((failure IS NULL) = (report IS NOT NULL AND figures IS NOT NULL))
)
"""


def upgrade() -> None:
    """Add the table, and let the application work on it."""
    op.execute(_REPORTS)
    # It is compressed already.
    op.execute("ALTER TABLE gateway.dryrun_reports ALTER report SET STORAGE EXTERNAL")
    op.execute("REVOKE ALL ON gateway.dryrun_reports FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.dryrun_reports TO approval_app")
