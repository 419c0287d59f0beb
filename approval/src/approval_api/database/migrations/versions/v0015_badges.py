"""Badges that an administrator published."""

from alembic import op

revision = "0015"
down_revision = "0014"

_BADGES = """
CREATE TABLE gateway.published_badges (
    id text PRIMARY KEY,
    template text,
    schedule_id uuid REFERENCES gateway.schedules ON DELETE CASCADE,
    published_by text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(template, schedule_id) = 1)
)
"""


def upgrade() -> None:
    """Add the table, and let the application work on it."""
    op.execute(_BADGES)
    op.execute("REVOKE ALL ON gateway.published_badges FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.published_badges TO approval_app")
