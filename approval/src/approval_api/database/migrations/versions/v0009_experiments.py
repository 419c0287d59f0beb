"""Experiments, and what they keep of each of their sessions."""

from alembic import op

revision = "0009"
down_revision = "0008"

# Not jsonb, which sorts keys: the first arm is the baseline.
_EXPERIMENTS = """
CREATE TABLE gateway.experiments (
    id uuid PRIMARY KEY,
    request json NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    stopped_at timestamptz,
    results jsonb,
    results_of integer NOT NULL DEFAULT 0
)
"""

# A session's id changes when it takes the place of a prepared one; a session may be deleted before its
# experiment, which has measured it by then.
_RUNS = """
CREATE TABLE gateway.experiment_runs (
    experiment_id uuid NOT NULL REFERENCES gateway.experiments ON DELETE CASCADE,
    number integer NOT NULL,
    session_id uuid UNIQUE REFERENCES gateway.dryrun_sessions ON UPDATE CASCADE ON DELETE SET NULL,
    measured jsonb,
    failure text,
    PRIMARY KEY (experiment_id, number),
    CHECK (measured IS NULL OR failure IS NULL)
)
"""


def upgrade() -> None:
    """Add the tables, and let the application work on them."""
    for table in (_EXPERIMENTS, _RUNS):
        op.execute(table)
    op.execute("CREATE INDEX experiments_newest ON gateway.experiments (requested_at DESC, id DESC)")
    op.execute(
        "CREATE INDEX experiment_runs_open ON gateway.experiment_runs (experiment_id, number) "
        "WHERE measured IS NULL AND failure IS NULL"
    )
    for name in ("experiments", "experiment_runs"):
        op.execute(f"REVOKE ALL ON gateway.{name} FROM PUBLIC")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.{name} TO approval_app")
