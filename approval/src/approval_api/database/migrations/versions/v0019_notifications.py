"""Notifications: where each person is told of what, and what is to be told."""

from alembic import op

revision = "0019"
down_revision = "0018"

_CHANNELS = """
CREATE TABLE gateway.channels (
    id uuid PRIMARY KEY,
    owner text NOT NULL,
    request jsonb NOT NULL,
    signing_key text,
    created_at timestamptz NOT NULL DEFAULT now(),
    answer text,
    answered_at timestamptz
)
"""

# `message_id` names the message that it became part of: repeated as it is, so that receivers know it again.
# An occasion is told once on each channel, however often and by however many processes it is noticed.
_NOTIFICATIONS = """
CREATE TABLE gateway.notifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id uuid NOT NULL REFERENCES gateway.channels ON DELETE CASCADE,
    occasion text NOT NULL,
    object text NOT NULL,
    text text NOT NULL,
    link text NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    message_id uuid,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (channel_id, occasion, object)
)
"""


def upgrade() -> None:
    """Add the tables; the delivering process reads what it sends and stores how far it got."""
    for statement in (
        _CHANNELS,
        "CREATE INDEX channels_owner ON gateway.channels (owner)",
        _NOTIFICATIONS,
        "CREATE INDEX notifications_due ON gateway.notifications (next_at) WHERE state = 'waiting'",
        "REVOKE ALL ON gateway.channels, gateway.notifications FROM PUBLIC",
        ("GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.channels, gateway.notifications TO approval_app"),
        "GRANT SELECT ON gateway.channels, gateway.notifications TO approval_delivery",
        "GRANT UPDATE (answer, answered_at) ON gateway.channels TO approval_delivery",
        ("GRANT UPDATE (state, attempts, next_at, message_id) ON gateway.notifications TO approval_delivery"),
    ):
        op.execute(statement)
