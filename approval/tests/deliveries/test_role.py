"""What the delivering process may do is decided by the database."""

import pytest
from made_deliveries import approve_discoveries
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from approval_api.database.engine import DELIVERY_ROLE, create_engine
from approval_api.database.tables import metadata

READABLE = {"destinations", "delivery_items", "delivered", "channels", "notifications"}


@pytest.fixture
async def role(database_url):
    engine = create_engine(database_url, role=DELIVERY_ROLE)
    yield engine
    await engine.dispose()


async def test_it_reads_its_outbox_and_no_other_table(role):
    for table in metadata.sorted_tables:
        async with role.connect() as connection:
            read = connection.execute(text(f"SELECT * FROM {table.fullname} LIMIT 1"))
            if table.name in READABLE:
                await read
                continue
            with pytest.raises(DBAPIError, match=f"permission denied for table {table.name}"):
                await read


async def test_it_sees_approved_discoveries_only(engine, role):
    await approve_discoveries(engine, ("host", "192.0.2.1", "{}"))
    await approve_discoveries(engine, ("host", "192.0.2.2", "{}"), status="pending")
    await approve_discoveries(engine, ("host", "192.0.2.3", "{}"), status="rejected")
    async with role.connect() as connection:
        seen = await connection.execute(text("SELECT key FROM gateway.approved_discoveries"))
        assert [row.key for row in seen] == ["192.0.2.1"]


FORBIDDEN = (
    "INSERT INTO gateway.delivery_items (host) VALUES ('x')",
    "UPDATE gateway.delivery_items SET content = '{}'",
    "UPDATE gateway.delivery_items SET destination_id = destination_id",
    "UPDATE gateway.delivery_items SET discovery_id = 1",
    "UPDATE gateway.destinations SET request = '{}'",
    "UPDATE gateway.destinations SET check_requested_at = now()",
    "UPDATE gateway.approved_discoveries SET data = '{}'",
    "UPDATE gateway.discoveries SET status = 'approved'",
    "UPDATE gateway.deliveries SET approved_at = now()",
    "INSERT INTO gateway.destinations (name) VALUES ('x')",
    "DELETE FROM gateway.delivery_items",
    "DELETE FROM gateway.delivered",
    "SELECT count(*) FROM gateway.dryrun_discoveries",
    "INSERT INTO gateway.notifications (text) VALUES ('x')",
    "UPDATE gateway.notifications SET text = 'x'",
    "UPDATE gateway.channels SET request = '{}'",
    "CREATE TABLE gateway.x (y int)",
)


async def test_it_changes_neither_what_is_sent_nor_where_to(role):
    for statement in FORBIDDEN:
        with pytest.raises(DBAPIError, match=r"permission denied"):
            async with role.begin() as connection:
                await connection.execute(text(statement))
