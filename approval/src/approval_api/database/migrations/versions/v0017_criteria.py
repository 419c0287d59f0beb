"""Criteria by name, and those that each session and experiment is judged by."""

from alembic import op

revision = "0017"
down_revision = "0016"

_SETS = """
CREATE TABLE gateway.criteria_sets (
    name text PRIMARY KEY,
    criteria json NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    stored_by text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
)
"""
_JUDGED = ("dryrun_sessions", "experiments")


def upgrade() -> None:
    """Add the table, and let the application work on it; what exists keeps the built-in criteria."""
    op.execute(_SETS)
    op.execute(
        "CREATE UNIQUE INDEX criteria_sets_default ON gateway.criteria_sets (is_default) WHERE is_default"
    )
    op.execute("REVOKE ALL ON gateway.criteria_sets FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.criteria_sets TO approval_app")
    for table in _JUDGED:
        op.execute(
            f"ALTER TABLE gateway.{table} ADD criteria_name text, ADD criteria json, "
            f"ADD CONSTRAINT {table}_criteria CHECK ((criteria_name IS NULL) = (criteria IS NULL))"
        )
