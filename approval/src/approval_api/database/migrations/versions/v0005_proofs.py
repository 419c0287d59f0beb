"""How old a proof is, and what it is good for.

When a provider of OpenID Connect last vouched for a person; browsers in which somebody signed in before;
the collectors that a token may report as.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

_KNOWN_BROWSERS = """
CREATE TABLE gateway.known_browsers (
    secret_sha256 bytea PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES gateway.people ON DELETE CASCADE,
    seen_at timestamptz NOT NULL DEFAULT now()
)
"""


def upgrade() -> None:
    """Add the columns and the table.

    The clock of a provider's word starts at the upgrade. Who signs in at a provider has no password beside:
    one that was set by an invitation is removed. A token made before names no collector and cannot report.
    What an API of the version before writes meanwhile has neither, and counts as unconfirmed and unnamed.
    """
    for statement in (
        "ALTER TABLE gateway.people ADD confirmed_at timestamptz",
        "UPDATE gateway.people SET confirmed_at = now(), password_hash = NULL WHERE issuer IS NOT NULL",
        (
            "DELETE FROM gateway.invitations USING gateway.people "
            "WHERE people.id = person_id AND issuer IS NOT NULL"
        ),
        (
            "ALTER TABLE gateway.people ADD CONSTRAINT people_one_proof "
            "CHECK (issuer IS NULL OR password_hash IS NULL)"
        ),
        _KNOWN_BROWSERS,
        "CREATE INDEX ON gateway.known_browsers (person_id)",
        "CREATE INDEX ON gateway.known_browsers (seen_at)",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.known_browsers TO approval_app",
        "ALTER TABLE gateway.api_tokens ADD collectors text[] NOT NULL DEFAULT '{}'",
        "CREATE INDEX ON gateway.invitations (expires_at)",
        "CREATE INDEX ON gateway.login_throttle (failed_at)",
        "CREATE INDEX ON gateway.logins (seen_at)",
    ):
        op.execute(statement)
