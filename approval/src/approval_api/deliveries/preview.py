"""Compares what is approved with what a destination has, and freezes the difference as a delivery's items."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dryrun_contract.delivery import MOST_ITEMS, ONE_OBJECT_FOR_ALL, TAKE_NO_REMOVALS, DestinationRequest

# A revision that the destination has needs no second look; a digest shows whether a newer one differs. What
# is approved and what is gone are compared in one pass, which reads two indexes (`discoveries_approved`,
# `discoveries_removed`) by several workers. PostgreSQL does that for a SELECT only.
_COMPARE = text("""
SELECT count(*) FILTER (WHERE NOT d.gone AND s.revision = d.revision) AS unchanged,
    (array_agg(d.id) FILTER (WHERE NOT d.gone AND s.revision IS DISTINCT FROM d.revision AND o.id IS NULL))
        [1:CAST(:most AS integer)] AS differing,
    array_agg(d.id) FILTER (WHERE d.gone AND NOT s.removed AND o.id IS NULL) AS gone
FROM (
    SELECT id, revision, kind, false AS gone FROM gateway.discoveries
    WHERE status = 'approved' AND gone_at IS NULL
    UNION ALL
    SELECT id, revision, kind, true FROM gateway.discoveries
    WHERE status = 'approved' AND gone_at IS NOT NULL AND :takes_removals) d
LEFT JOIN gateway.delivered s ON s.destination_id = :destination_id AND s.discovery_id = d.id
LEFT JOIN gateway.delivery_items o ON o.destination_id = :destination_id AND o.discovery_id = d.id
    AND o.state IN ('checking', 'planned', 'waiting')
WHERE :every_kind OR d.kind = ANY(:kinds)
""")

# OFFSET 0 keeps the lookup of single rows: the planner would read and digest the whole table. Hosts come
# before what is on them.
_FREEZE = text(r"""
WITH differing AS (
    SELECT unnest(CAST(:differing AS bigint[])) AS id
), digested AS (
    SELECT d.*, CASE WHEN NOT s.removed AND s.digest <> ''::bytea THEN s.digest END AS before, s.reference,
        coalesce(btrim(substring(d.key from '^(\[[^]]*\]|[^:/]+)'), '[]'), '') AS host, sha256(convert_to(
            jsonb_build_array(d.collector, d.kind, d.key, d.data)::text, 'UTF8')) AS digest
    FROM differing CROSS JOIN LATERAL (
        SELECT id, collector, kind, key, data, confidence, found_at, revision, decided_by, decided_at
        FROM gateway.discoveries WHERE id = differing.id AND status = 'approved' AND gone_at IS NULL
        OFFSET 0) d
    LEFT JOIN LATERAL (
        SELECT digest, reference, removed FROM gateway.delivered
        WHERE destination_id = :destination_id AND discovery_id = d.id OFFSET 0) s ON true
)
INSERT INTO gateway.delivery_items (delivery_id, destination_id, discovery_id, host, kind, key, revision,
    digest, content, reference, action, state)
SELECT :delivery_id, :destination_id, id, host, kind, key, revision, digest,
    jsonb_build_object('id', id, 'revision', revision, 'collector', collector, 'kind', kind, 'key', key,
        'data', data, 'confidence', confidence, 'found_at', found_at,
        'approved_by', decided_by, 'approved_at', decided_at),
    reference,
    CASE WHEN before IS NULL THEN 'create' WHEN before = digest THEN 'leave' ELSE 'change' END,
    CASE WHEN :asks AND before IS DISTINCT FROM digest THEN 'checking' ELSE 'planned' END
FROM digested
ORDER BY host, CASE kind WHEN 'host' THEN 0 WHEN 'service' THEN 1 ELSE 2 END, id
""")

# What a destination was given and is gone, once somebody approved that; hosts come after what is on them.
# NetBox has one object for what several collectors found: it stays as it is while one of them finds it.
_FREEZE_REMOVALS = text(r"""
WITH RECURSIVE collectors AS (
    (SELECT collector FROM gateway.discoveries WHERE :one_object ORDER BY collector LIMIT 1)
    UNION ALL
    SELECT n.collector FROM collectors c CROSS JOIN LATERAL (
        SELECT collector FROM gateway.discoveries WHERE collector > c.collector ORDER BY collector LIMIT 1) n
), removals AS MATERIALIZED (
    SELECT d.*, s.digest, s.reference,
        coalesce(btrim(substring(d.key from '^(\[[^]]*\]|[^:/]+)'), '[]'), '') AS of_host,
        EXISTS (SELECT 1 FROM collectors c JOIN gateway.discoveries other
                ON other.collector = c.collector AND other.kind = d.kind AND other.key_sha256 = d.key_sha256
            WHERE other.decided_as = 'approved' AND other.gone_at IS NULL) AS is_found
    FROM unnest(CAST(:gone AS bigint[])) AS differing(id)
    JOIN gateway.discoveries d ON d.id = differing.id AND d.status = 'approved' AND d.gone_at IS NOT NULL
    JOIN gateway.delivered s ON s.destination_id = :destination_id AND s.discovery_id = d.id AND NOT s.removed
)
INSERT INTO gateway.delivery_items (delivery_id, destination_id, discovery_id, host, kind, key, revision,
    digest, content, reference, action, state, answer)
SELECT :delivery_id, :destination_id, id, of_host, kind, key, revision, digest,
    jsonb_build_object('id', id, 'revision', revision, 'collector', collector, 'kind', kind, 'key', key,
        'data', data, 'confidence', confidence, 'found_at', found_at,
        'gone_at', gone_at, 'approved_by', decided_by, 'approved_at', decided_at),
    reference, CASE WHEN is_found THEN 'leave' ELSE 'remove' END,
    CASE WHEN :asks AND NOT is_found THEN 'checking' ELSE 'planned' END,
    CASE WHEN is_found THEN 'another collector still finds it' END
FROM removals
ORDER BY of_host, CASE kind WHEN 'host' THEN 1 ELSE 0 END, id
LIMIT :room
""")

_INSERT = text("""
INSERT INTO gateway.deliveries (id, destination_id, requested_by, unchanged, more)
VALUES (:delivery_id, :destination_id, :requested_by, :unchanged, :more)
""")

_SUPERSEDE = text("""
UPDATE gateway.delivery_items old SET state = 'superseded'
WHERE old.destination_id = :destination_id AND old.state = 'dead' AND EXISTS (
    SELECT 1 FROM gateway.delivery_items new
    WHERE new.destination_id = :destination_id AND new.discovery_id = old.discovery_id
        AND new.state IN ('checking', 'planned', 'waiting'))
""")

# Tables without statistics yet look empty to the planner, and a loop in a loop good enough.
_WHOLE_TABLES = ("SET LOCAL work_mem = '64MB'", "SET LOCAL enable_nestloop = off")
_SINGLE_ROWS = "SET LOCAL enable_nestloop = on"


async def freeze(
    connection: AsyncConnection,
    delivery_id: UUID,
    destination_id: UUID,
    destination: DestinationRequest,
    requested_by: str,
) -> int:
    """Store a delivery of what differs, and return the number of its items.

    What is on its way already is left out. Items of destinations that can be asked are checked there first.
    The destination is locked: previews of one come one after the other, so that no discovery is in two.
    """
    scope = {
        "destination_id": destination_id,
        "every_kind": not destination.kinds,
        "kinds": list(destination.kinds),
    }
    for setting in _WHOLE_TABLES:
        await connection.execute(text(setting))
    takes_removals = destination.kind not in TAKE_NO_REMOVALS
    compared = (
        await connection.execute(
            _COMPARE, {**scope, "most": MOST_ITEMS + 1, "takes_removals": takes_removals}
        )
    ).one()
    await connection.execute(text(_SINGLE_ROWS))
    # In the order of the table, whichever of the workers found them. One beyond the bound says "more".
    found, gone = sorted(compared.differing or ()), sorted(compared.gone or ())
    differing = found[:MOST_ITEMS]
    room = MOST_ITEMS - len(differing)
    named = {
        **scope,
        "delivery_id": delivery_id,
        "requested_by": requested_by,
        "unchanged": compared.unchanged,
        "more": len(found) > MOST_ITEMS or len(gone) > room,
        "asks": destination.kind in ("netbox", "diode"),
        "one_object": destination.kind in ONE_OBJECT_FOR_ALL,
        "differing": differing,
        "gone": gone,
        "room": room,
    }
    await connection.execute(_INSERT, named)
    frozen = (await connection.execute(_FREEZE, named)).rowcount
    if gone and room:
        frozen += (await connection.execute(_FREEZE_REMOVALS, named)).rowcount
    await connection.execute(_SUPERSEDE, named)
    return frozen
