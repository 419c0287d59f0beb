"""Deliveries: where approved discoveries go, what was previewed, what was sent, and the role that sends."""

from alembic import op

revision = "0018"
down_revision = "0017"

_DESTINATIONS = """
CREATE TABLE gateway.destinations (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    request jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz
)
"""

_DELIVERIES = """
CREATE TABLE gateway.deliveries (
    id uuid PRIMARY KEY,
    destination_id uuid NOT NULL REFERENCES gateway.destinations ON DELETE CASCADE,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    approved_by text,
    approved_at timestamptz,
    discarded_at timestamptz,
    unchanged integer NOT NULL,
    more boolean NOT NULL,
    CHECK (approved_at IS NULL OR discarded_at IS NULL)
)
"""

# `next_at` is when it is due: the end of a pause, or of the lease of the process that has it.
_ITEMS = """
CREATE TABLE gateway.delivery_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES gateway.deliveries ON DELETE CASCADE,
    destination_id uuid NOT NULL REFERENCES gateway.destinations ON DELETE CASCADE,
    discovery_id bigint NOT NULL,
    host text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    revision integer NOT NULL,
    digest bytea NOT NULL,
    content jsonb NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'change', 'leave')),
    state text NOT NULL CHECK (state IN (
        'checking', 'planned', 'waiting', 'delivered', 'dead', 'withdrawn', 'superseded', 'discarded')),
    message_id uuid NOT NULL DEFAULT gen_random_uuid(),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    lease uuid,
    answer text,
    answered_at timestamptz,
    reference text
)
"""

# No reference to discoveries: what a destination has stays true when a row here is removed.
_DELIVERED = """
CREATE TABLE gateway.delivered (
    destination_id uuid NOT NULL REFERENCES gateway.destinations ON DELETE CASCADE,
    discovery_id bigint NOT NULL,
    revision integer NOT NULL,
    digest bytea NOT NULL,
    reference text,
    delivered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (destination_id, discovery_id) INCLUDE (revision)
)
"""

# A preview compares these two indexes and touches the rows that differ: of a million, 0.1 s for each scan.
_APPROVED_REVISIONS = """
CREATE INDEX discoveries_approved ON gateway.discoveries (id) INCLUDE (revision, kind)
WHERE status = 'approved' AND gone_at IS NULL
"""

# All that the delivering role sees of discoveries: what is not approved, or gone, is not there.
_APPROVED = """
CREATE VIEW gateway.approved_discoveries WITH (security_barrier) AS
SELECT id, collector, kind, key, data, confidence, found_at, revision, decided_by, decided_at
FROM gateway.discoveries WHERE status = 'approved' AND gone_at IS NULL
"""

# As approval_app: it may log in, but has no password before an administrator gives it one.
_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'approval_delivery') THEN
        CREATE ROLE approval_delivery LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'let an administrator of the server run: CREATE ROLE approval_delivery LOGIN';
END $$
"""

# Where there is only one login, the process that delivers takes this role by itself.
_OWN_ROLE = """
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'approval_delivery', 'SET') THEN
        EXECUTE format('GRANT approval_delivery TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN NULL;
END $$
"""

TABLES = ("destinations", "deliveries", "delivery_items", "delivered")


def upgrade() -> None:
    """Add the tables, the view and the role that may read approved discoveries and work on items."""
    for statement in (
        _DESTINATIONS,
        _DELIVERIES,
        "CREATE INDEX deliveries_newest ON gateway.deliveries (requested_at DESC, id DESC)",
        "CREATE INDEX deliveries_destination ON gateway.deliveries (destination_id)",
        _ITEMS,
        "CREATE INDEX delivery_items_of ON gateway.delivery_items (delivery_id, id)",
        # One discovery is on its way to a destination at most once, whatever is requested at once.
        (
            "CREATE UNIQUE INDEX delivery_items_open "
            "ON gateway.delivery_items (destination_id, discovery_id) "
            "WHERE state IN ('checking', 'planned', 'waiting')"
        ),
        (
            "CREATE INDEX delivery_items_due ON gateway.delivery_items (destination_id, next_at) "
            "WHERE state IN ('checking', 'waiting')"
        ),
        (
            "CREATE INDEX delivery_items_order ON gateway.delivery_items (destination_id, host, id) "
            "WHERE state = 'waiting'"
        ),
        (
            "CREATE INDEX delivery_items_dead ON gateway.delivery_items (destination_id, discovery_id) "
            "WHERE state = 'dead'"
        ),
        _DELIVERED,
        _APPROVED_REVISIONS,
        _APPROVED,
        _ROLE,
        _OWN_ROLE,
        "REVOKE ALL ON gateway.approved_discoveries FROM PUBLIC",
        *(f"REVOKE ALL ON gateway.{name} FROM PUBLIC" for name in TABLES),
        *(f"GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.{name} TO approval_app" for name in TABLES),
        "GRANT SELECT ON gateway.approved_discoveries TO approval_app, approval_delivery",
        "GRANT USAGE ON SCHEMA gateway TO approval_delivery",
        (
            "GRANT SELECT ON gateway.alembic_version, gateway.destinations, gateway.delivery_items, "
            "gateway.delivered TO approval_delivery"
        ),
        "GRANT UPDATE (not_before) ON gateway.destinations TO approval_delivery",
        (
            "GRANT UPDATE (action, state, attempts, next_at, lease, answer, answered_at, reference) "
            "ON gateway.delivery_items TO approval_delivery"
        ),
        "GRANT INSERT, UPDATE ON gateway.delivered TO approval_delivery",
    ):
        op.execute(statement)
