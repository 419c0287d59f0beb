"""Schedules, and what became of each of their times."""

from alembic import op

revision = "0011"
down_revision = "0010"

_SCHEDULES = """
CREATE TABLE gateway.schedules (
    id uuid PRIMARY KEY,
    request json NOT NULL,
    owner text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    resumed_at timestamptz NOT NULL DEFAULT now(),
    next_at timestamptz,
    paused_because text,
    CHECK (next_at IS NULL OR paused_because IS NULL)
)
"""

# One row for each time: claimed with the schedule's step to its next time, so that no time counts twice.
_FIRINGS = """
CREATE TABLE gateway.schedule_firings (
    schedule_id uuid NOT NULL REFERENCES gateway.schedules ON DELETE CASCADE,
    due_at timestamptz NOT NULL,
    tried_at timestamptz,
    experiment_id uuid UNIQUE REFERENCES gateway.experiments ON DELETE CASCADE,
    skipped text,
    failure text,
    PRIMARY KEY (schedule_id, due_at),
    CHECK (num_nonnulls(experiment_id, skipped, failure) <= 1)
)
"""


def upgrade() -> None:
    """Add the tables, and let the application work on them."""
    for table in (_SCHEDULES, _FIRINGS):
        op.execute(table)
    op.execute("CREATE INDEX schedules_due ON gateway.schedules (next_at)")
    op.execute(
        "CREATE INDEX schedule_firings_open ON gateway.schedule_firings (due_at) "
        "WHERE experiment_id IS NULL AND skipped IS NULL AND failure IS NULL"
    )
    for name in ("schedules", "schedule_firings"):
        op.execute(f"REVOKE ALL ON gateway.{name} FROM PUBLIC")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.{name} TO approval_app")
