"""What is old can be removed by policy."""

from alembic import op

revision = "0016"
down_revision = "0015"

# The application may add to the audit log and read it. By this function, which runs as the schema's owner, it
# can remove the oldest lines, and none that is younger than 90 days, whatever it is told.
_PRUNE_AUDIT = """
CREATE FUNCTION gateway.prune_audit_log(older_than interval, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE removed integer;
BEGIN
    IF older_than < interval '90 days' THEN
        RAISE EXCEPTION 'lines of the audit log stay for 90 days at least';
    END IF;
    DELETE FROM gateway.audit_log WHERE id IN (
        SELECT id FROM (SELECT id, at FROM gateway.audit_log ORDER BY id LIMIT least(most, 10000)) oldest
        WHERE at < now() - older_than);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$
"""


def upgrade() -> None:
    """Add indexes, a mark on sessions, and the one way to remove lines of the audit log."""
    for statement in (
        "ALTER TABLE gateway.dryrun_sessions ADD events_removed_at timestamptz",
        "CREATE INDEX dryrun_sessions_ended ON gateway.dryrun_sessions (ended_at) WHERE phase = 'ended'",
        "CREATE INDEX discoveries_gone ON gateway.discoveries (gone_at) WHERE gone_at IS NOT NULL",
        _PRUNE_AUDIT,
        "REVOKE ALL ON FUNCTION gateway.prune_audit_log FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION gateway.prune_audit_log TO approval_app",
        "GRANT DELETE ON gateway.discovery_changes TO approval_app",
    ):
        op.execute(statement)
