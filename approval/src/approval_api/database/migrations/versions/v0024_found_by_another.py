"""What several collectors found is one thing at some destinations: who else found it, and still does."""

from alembic import op

revision = "0024"
down_revision = "0023"

# Of each collector one lookup by its unique index; there are few collectors, and no index leads from a key
# to all of them. What changed since it was approved is still found, whatever is decided on the change.
_ALSO_FOUND = """
CREATE FUNCTION gateway.also_found_as(discovery bigint) RETURNS TABLE (id bigint, is_found boolean)
LANGUAGE sql STABLE AS $$
WITH RECURSIVE collectors AS (
    (SELECT collector FROM gateway.discoveries ORDER BY collector LIMIT 1)
    UNION ALL
    SELECT n.collector FROM collectors c CROSS JOIN LATERAL (
        SELECT collector FROM gateway.discoveries WHERE collector > c.collector ORDER BY collector LIMIT 1) n)
SELECT other.id, other.decided_as IS NOT DISTINCT FROM 'approved' AND other.gone_at IS NULL
FROM gateway.discoveries d CROSS JOIN collectors c
JOIN gateway.discoveries other
    ON other.collector = c.collector AND other.kind = d.kind AND other.key_sha256 = d.key_sha256
WHERE d.id = discovery AND other.id <> d.id
$$
"""

# The delivering role sees approved discoveries only. By this function, which runs as the schema's owner, it
# learns yes or no of those that changed since, too.
_IS_FOUND = """
CREATE FUNCTION gateway.is_found_by_another(discovery bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
SELECT EXISTS (SELECT 1 FROM gateway.also_found_as(discovery) other WHERE other.is_found)
$$
"""


def upgrade() -> None:
    """Add the two functions."""
    for statement in (
        _ALSO_FOUND,
        _IS_FOUND,
        "REVOKE ALL ON FUNCTION gateway.also_found_as FROM PUBLIC",
        "REVOKE ALL ON FUNCTION gateway.is_found_by_another FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION gateway.also_found_as TO approval_app",
        "GRANT EXECUTE ON FUNCTION gateway.is_found_by_another TO approval_app, approval_delivery",
    ):
        op.execute(statement)
