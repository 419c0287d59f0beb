"""Schema `gateway`: dry-run sessions with their events and discoveries, apart from production's."""

from alembic import op

revision = "0001"
down_revision = None

# A key may be 4000 bytes long and a B-tree entry 2704, so uniqueness is over a digest. Doubling the
# backslashes makes the cast from text to bytea take every text literally.
_KEY_SHA256 = r"bytea NOT NULL GENERATED ALWAYS AS (sha256(replace(key, '\', '\\')::bytea)) STORED"

_SESSIONS = """
CREATE TABLE gateway.dryrun_sessions (
    id uuid PRIMARY KEY,
    template text NOT NULL,
    digest text NOT NULL,
    seed integer NOT NULL,
    keep boolean NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    accepted_at timestamptz,
    phase text NOT NULL CHECK (phase IN (
        'requested', 'queued', 'provisioning', 'waiting', 'scanning', 'kept', 'cleaning_up', 'ended')),
    outcome text CHECK (outcome IN ('completed', 'failed', 'stopped', 'expired')),
    reason text,
    expires_at timestamptz,
    ended_at timestamptz,
    template_snapshot jsonb,
    history_complete boolean NOT NULL DEFAULT true,
    CHECK (phase <> 'ended' OR outcome IS NOT NULL)
)
"""

_EVENTS = """
CREATE TABLE gateway.dryrun_events (
    journal uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 1),
    session_id uuid NOT NULL REFERENCES gateway.dryrun_sessions ON DELETE CASCADE,
    at timestamptz NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (journal, seq)
)
"""

_DRYRUN_DISCOVERIES = f"""
CREATE TABLE gateway.dryrun_discoveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dryrun_session_id uuid NOT NULL REFERENCES gateway.dryrun_sessions ON DELETE CASCADE,
    is_dryrun boolean NOT NULL DEFAULT false CONSTRAINT dryrun_only CHECK (is_dryrun),
    collector text NOT NULL,
    run text NOT NULL,
    line integer NOT NULL CHECK (line >= 1),
    kind text NOT NULL,
    key text NOT NULL,
    key_sha256 {_KEY_SHA256},
    data jsonb NOT NULL,
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    found_at timestamptz NOT NULL,
    UNIQUE (dryrun_session_id, collector, kind, key_sha256)
)
"""

_DISCOVERIES = f"""
CREATE TABLE gateway.discoveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    is_dryrun boolean NOT NULL DEFAULT false CONSTRAINT production_only CHECK (NOT is_dryrun),
    collector text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    key_sha256 {_KEY_SHA256},
    data jsonb NOT NULL,
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    found_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collector, kind, key_sha256)
)
"""

_POSITION = """
CREATE TABLE gateway.follower_position (
    id integer PRIMARY KEY DEFAULT 1 CONSTRAINT one_row CHECK (id = 1),
    journal uuid,
    seq bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now()
)
"""

# Roles belong to the whole cluster: another database's migration may make it at the same moment.
_READER = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'production_reader') THEN
        CREATE ROLE production_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'let an administrator of the server run: CREATE ROLE production_reader NOLOGIN';
END $$
"""


def upgrade() -> None:
    """Make the tables, and the role that may read production and nothing else."""
    for statement in (
        _SESSIONS,
        "CREATE INDEX ON gateway.dryrun_sessions (requested_at DESC, id DESC)",
        "CREATE INDEX ON gateway.dryrun_sessions (requested_at) WHERE phase = 'requested'",
        _EVENTS,
        "CREATE INDEX ON gateway.dryrun_events (session_id, seq)",
        _DRYRUN_DISCOVERIES,
        "CREATE INDEX ON gateway.dryrun_discoveries (dryrun_session_id, id)",
        _DISCOVERIES,
        _POSITION,
        "INSERT INTO gateway.follower_position DEFAULT VALUES",
        _READER,
        "REVOKE ALL ON SCHEMA gateway FROM PUBLIC",
        "REVOKE ALL ON ALL TABLES IN SCHEMA gateway FROM PUBLIC, production_reader",
        "GRANT USAGE ON SCHEMA gateway TO production_reader",
        "GRANT SELECT ON gateway.discoveries TO production_reader",
    ):
        op.execute(statement)
