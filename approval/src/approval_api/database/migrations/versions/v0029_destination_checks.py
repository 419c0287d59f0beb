"""Checks of destinations: whether a destination answers to the credential that it names."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the request of a check and its answer, which only the process that delivers gives."""
    op.execute("""
        ALTER TABLE gateway.destinations
            ADD check_requested_at timestamptz,
            ADD check_lease_until timestamptz,
            ADD check_answered_at timestamptz,
            ADD check_passed boolean,
            ADD check_answer text
    """)
    op.execute(
        "GRANT UPDATE (check_lease_until, check_answered_at, check_passed, check_answer) "
        "ON gateway.destinations TO approval_delivery"
    )
