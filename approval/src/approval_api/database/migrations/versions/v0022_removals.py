"""Removals are delivered: what is gone, and was approved as gone, to where it was delivered before."""

from alembic import op

revision = "0022"
down_revision = "0021"

# All that the delivering role sees of them: that they are gone, as it was decided on.
_REMOVALS = """
CREATE VIEW gateway.approved_removals WITH (security_barrier) AS
SELECT id, revision FROM gateway.discoveries WHERE status = 'approved' AND gone_at IS NOT NULL
"""

_REMOVED = """
CREATE INDEX discoveries_removed ON gateway.discoveries (id) INCLUDE (revision, kind)
WHERE status = 'approved' AND gone_at IS NOT NULL
"""


def upgrade() -> None:
    """Add the action, what tells that a destination was told, and the view."""
    for statement in (
        "ALTER TABLE gateway.delivery_items DROP CONSTRAINT delivery_items_action_check",
        (
            "ALTER TABLE gateway.delivery_items ADD CONSTRAINT delivery_items_action_check "
            "CHECK (action IN ('create', 'change', 'leave', 'remove'))"
        ),
        "ALTER TABLE gateway.delivered ADD removed boolean NOT NULL DEFAULT false",
        _REMOVED,
        _REMOVALS,
        "REVOKE ALL ON gateway.approved_removals FROM PUBLIC",
        "GRANT SELECT ON gateway.approved_removals TO approval_app, approval_delivery",
    ):
        op.execute(statement)
