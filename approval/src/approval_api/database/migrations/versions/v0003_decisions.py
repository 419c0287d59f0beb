"""Discoveries are decided on, production's are recognized when seen again, and lists are read by key."""

from alembic import op

revision = "0003"
down_revision = "0002"

_DECISION = """
ALTER TABLE gateway.{table}
    ADD revision integer NOT NULL DEFAULT 1,
    ADD status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    ADD decided_as text CHECK (decided_as IN ('approved', 'rejected')),
    ADD decided_by text,
    ADD decided_at timestamptz,
    ADD note text
"""

_SEEN = """
ALTER TABLE gateway.discoveries
    ADD last_seen_at timestamptz NOT NULL DEFAULT now(),
    ADD times_seen integer NOT NULL DEFAULT 1,
    ADD changed_at timestamptz
"""

_CHANGES = """
CREATE TABLE gateway.discovery_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    discovery_id bigint NOT NULL REFERENCES gateway.discoveries ON DELETE CASCADE,
    revision integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    before jsonb NOT NULL,
    after jsonb NOT NULL
)
"""

_ADDRESSES = """
CREATE INDEX dryrun_events_of_addresses ON gateway.dryrun_events (session_id) WHERE type = 'addresses_mapped'
"""

# A key has up to 1000 characters, an entry of a B-tree 2704 bytes; "C" is the order of cursors.
_KEY_ORDER = 'left(key, 200) COLLATE "C"'


def _indexes(table: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE INDEX {table}_by_{name} ON gateway.{table} ({columns})"
        for name, columns in {
            "kind": "kind, id",
            "status": "status, id",
            "key": f"({_KEY_ORDER}), id",
            "kind_and_key": f"kind, ({_KEY_ORDER}), id",
            "status_and_key": f"status, ({_KEY_ORDER}), id",
        }.items()
    )


def upgrade() -> None:
    """Add what decisions and lists need; the application may use it, the production reader production's."""
    for statement in (
        _DECISION.format(table="dryrun_discoveries"),
        _DECISION.format(table="discoveries"),
        _SEEN,
        _CHANGES,
        "CREATE INDEX ON gateway.discovery_changes (discovery_id, id)",
        *_indexes("dryrun_discoveries"),
        *_indexes("discoveries"),
        _ADDRESSES,
        "REVOKE ALL ON gateway.discovery_changes FROM PUBLIC",
        "GRANT SELECT, INSERT ON gateway.discovery_changes TO approval_app",
        "GRANT SELECT ON gateway.discovery_changes TO production_reader",
    ):
        op.execute(statement)
