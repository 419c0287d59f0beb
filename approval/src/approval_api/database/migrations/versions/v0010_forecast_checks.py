"""Forecasts beside the production runs that they were about."""

from alembic import op

revision = "0010"
down_revision = "0009"

# A session's id changes when it takes the place of a prepared one; a check outlives its session.
_CHECKS = """
CREATE TABLE gateway.forecast_checks (
    id uuid PRIMARY KEY,
    session_id uuid REFERENCES gateway.dryrun_sessions ON UPDATE CASCADE ON DELETE SET NULL,
    template text NOT NULL,
    checked_by text NOT NULL,
    checked_at timestamptz NOT NULL,
    source text NOT NULL CHECK (source IN ('output', 'production')),
    comparison jsonb NOT NULL
)
"""


def upgrade() -> None:
    """Add the table, and let the application work on it."""
    op.execute(_CHECKS)
    op.execute("CREATE INDEX forecast_checks_newest ON gateway.forecast_checks (checked_at DESC, id DESC)")
    op.execute("CREATE INDEX forecast_checks_session ON gateway.forecast_checks (session_id)")
    op.execute("REVOKE ALL ON gateway.forecast_checks FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.forecast_checks TO approval_app")
