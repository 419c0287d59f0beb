"""Production's discoveries have a life: seen, changed, missed by scans, gone, returned."""

from alembic import op

revision = "0012"
down_revision = "0011"

_SCANS = """
CREATE TABLE gateway.production_scans (
    id uuid PRIMARY KEY,
    collector text NOT NULL,
    targets cidr[] NOT NULL CHECK (cardinality(targets) BETWEEN 1 AND 256),
    excluded cidr[] NOT NULL CHECK (cardinality(excluded) <= 512),
    profile text NOT NULL CHECK (profile IN ('quick', 'full')),
    started_by text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    complete boolean,
    missed integer,
    gone integer,
    CHECK (num_nonnulls(ended_at, complete, missed, gone) IN (0, 4))
)
"""

_LIFE = """
ALTER TABLE gateway.discoveries
    ADD host inet,
    ADD change text NOT NULL DEFAULT 'new' CHECK (change IN ('new', 'changed', 'gone', 'returned')),
    ADD gone_at timestamptz CHECK ((gone_at IS NOT NULL) = (change = 'gone')),
    ADD missed_scans integer NOT NULL DEFAULT 0,
    ADD seen_by_quick boolean NOT NULL DEFAULT false,
    ADD reported_by text,
    ADD decided_revision integer
"""

# A host that is a name has no address: no scan and no rule covers it. IPv6 of old rows is filled in when they
# are seen again.
_FILL = r"""
UPDATE gateway.discoveries SET
    host = CASE WHEN key ~ '^OCTET(\.OCTET){3}(:|$)' THEN split_part(key, ':', 1)::inet END,
    change = CASE WHEN changed_at IS NOT NULL AND decided_as IS NOT NULL THEN 'changed' ELSE 'new' END,
    decided_revision = CASE WHEN status <> 'pending' THEN revision END
""".replace("OCTET", "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])")


def upgrade() -> None:
    """Add the columns and the scans; a discovery known before is new, or changed since the decision."""
    for statement in (
        _SCANS,
        "CREATE INDEX production_scans_newest ON gateway.production_scans (started_at DESC, id DESC)",
        _LIFE,
        _FILL,
        "CREATE INDEX discoveries_by_collector_and_host ON gateway.discoveries (collector, host)",
        "CREATE INDEX discoveries_by_change ON gateway.discoveries (change, id)",
        (
            "CREATE INDEX discoveries_by_time_of_change "
            "ON gateway.discoveries ((coalesce(changed_at, found_at)), id)"
        ),
        (
            "ALTER TABLE gateway.discovery_changes ADD change text NOT NULL DEFAULT 'changed' "
            "CHECK (change IN ('changed', 'gone', 'returned'))"
        ),
        "CREATE INDEX discovery_changes_by_time ON gateway.discovery_changes (at, id)",
        "REVOKE ALL ON gateway.production_scans FROM PUBLIC",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.production_scans TO approval_app",
        "GRANT SELECT ON gateway.production_scans TO production_reader",
    ):
        op.execute(statement)
