"""How much each person or program has reported to production on its newest day."""

from alembic import op

revision = "0030"
down_revision = "0029"

_INTAKE = """
CREATE TABLE gateway.production_intake (
    reporter text PRIMARY KEY,
    day date NOT NULL,
    requests integer NOT NULL,
    bytes bigint NOT NULL
)
"""


def upgrade() -> None:
    """Add the table, and let the application count in it."""
    op.execute(_INTAKE)
    op.execute("REVOKE ALL ON gateway.production_intake FROM PUBLIC")
    op.execute("GRANT SELECT, INSERT, UPDATE ON gateway.production_intake TO approval_app")
