"""People with their logins, tokens and invitations; the application's own role; the audit log."""

from alembic import op

revision = "0002"
down_revision = "0001"

_PEOPLE = """
CREATE TABLE gateway.people (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._@+-]{0,63}$'),
    display_name text NOT NULL,
    roles text[] NOT NULL CHECK (roles <@ ARRAY['viewer', 'operator', 'approver', 'admin']),
    active boolean NOT NULL DEFAULT true,
    password_hash text,
    issuer text,
    subject text,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL))
)
"""

_LOGINS = """
CREATE TABLE gateway.logins (
    id_sha256 bytea PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES gateway.people ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    address text NOT NULL
)
"""

_API_TOKENS = """
CREATE TABLE gateway.api_tokens (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES gateway.people ON DELETE CASCADE,
    label text NOT NULL,
    secret_sha256 bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'run', 'decide', 'collect', 'administer']),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz
)
"""

_INVITATIONS = """
CREATE TABLE gateway.invitations (
    secret_sha256 bytea PRIMARY KEY,
    person_id uuid NOT NULL UNIQUE REFERENCES gateway.people ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
)
"""

_THROTTLE = """
CREATE TABLE gateway.login_throttle (
    subject_sha256 bytea PRIMARY KEY,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL
)
"""

_AUDIT_LOG = """
CREATE TABLE gateway.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text,
    proof text,
    action text NOT NULL,
    object text,
    address text,
    request_id text,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    detail text
)
"""

# As production_reader: roles belong to the whole cluster. It may log in, but has no password: a server that
# asks for one lets nobody in by this role before an administrator gives it one.
_APP_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'approval_app') THEN
        CREATE ROLE approval_app LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'let an administrator of the server run: CREATE ROLE approval_app LOGIN';
END $$
"""

# The one who migrates also serves where there is only one login; as the application it takes this role.
_MEMBERSHIP = """
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'approval_app', 'SET') THEN
        EXECUTE format('GRANT approval_app TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN NULL;  -- a server with two logins does not need it
END $$
"""


def upgrade() -> None:
    """Make the tables and the role; the audit log can be added to and read, and changed by its owner only."""
    for statement in (
        _PEOPLE,
        _LOGINS,
        "CREATE INDEX ON gateway.logins (person_id)",
        "CREATE INDEX ON gateway.logins (created_at)",
        _API_TOKENS,
        "CREATE INDEX ON gateway.api_tokens (person_id)",
        _INVITATIONS,
        _THROTTLE,
        _AUDIT_LOG,
        "CREATE INDEX ON gateway.audit_log (actor, id)",
        "CREATE INDEX ON gateway.audit_log (action, id)",
        _APP_ROLE,
        _MEMBERSHIP,
        "GRANT USAGE ON SCHEMA gateway TO approval_app",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA gateway TO approval_app",
        "REVOKE ALL ON gateway.alembic_version, gateway.audit_log FROM approval_app",
        "GRANT SELECT ON gateway.alembic_version TO approval_app",
        "GRANT SELECT, INSERT ON gateway.audit_log TO approval_app",
    ):
        op.execute(statement)
