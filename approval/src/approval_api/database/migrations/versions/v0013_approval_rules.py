"""Rules that approve discoveries of production."""

from alembic import op

revision = "0013"
down_revision = "0012"

_RULES = """
CREATE TABLE gateway.approval_rules (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    request json NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    on_since timestamptz,
    on_by text,
    off_because text,
    approved bigint NOT NULL DEFAULT 0,
    day date NOT NULL DEFAULT current_date,
    approved_on_day integer NOT NULL DEFAULT 0,
    CHECK ((on_since IS NULL) = (on_by IS NULL))
)
"""


def upgrade() -> None:
    """Add the table, and let the application work on it."""
    op.execute(_RULES)
    op.execute("REVOKE ALL ON gateway.approval_rules FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.approval_rules TO approval_app")
