"""What people of an older version had: what of it still counts after the upgrade."""

import asyncio
import uuid
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.database import migrations
from approval_api.database.engine import create_engine
from approval_api.database.migration import migrate
from approval_api.people.secret_values import digest

LOCAL, ELSEWHERE = uuid.UUID(int=1), uuid.UUID(int=2)


def _upgrade_to(revision):
    def work(connection):
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return work


async def test_what_people_had_at_revision_4_counts_as_the_upgrade_says(
    postgres, settings, serving, orchestrator
):
    name = f"old_{uuid.uuid4().hex[:12]}"
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    engine = create_engine(postgres.url(name))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA gateway"))
        await connection.run_sync(_upgrade_to("0004"))
        for person, issuer in ((LOCAL, None), (ELSEWHERE, "https://provider.example")):
            await connection.execute(
                text(
                    "INSERT INTO gateway.people "
                    "(id, name, display_name, roles, active, password_hash, issuer, subject, created_by) "
                    "VALUES (:id, :name, :name, '{operator}', true, 'hash', :issuer, :subject, 'old')"
                ),
                {"id": person, "name": f"p{person.int}", "issuer": issuer, "subject": issuer and "s"},
            )
            await connection.execute(
                text(
                    "INSERT INTO gateway.api_tokens "
                    "(id, person_id, label, secret_sha256, scopes, expires_at) "
                    "VALUES (:id, :id, 'old', :secret, '{read,collect,administer}', now() + interval '1 day')"
                ),
                {"id": person, "secret": digest(f"drt_{person.int}")},
            )
            await connection.execute(
                text("INSERT INTO gateway.logins (id_sha256, person_id, address) VALUES (:secret, :id, 'a')"),
                {"id": person, "secret": digest(f"login-{person.int}")},
            )
            await connection.execute(
                text(
                    "INSERT INTO gateway.invitations (secret_sha256, person_id, expires_at) "
                    "VALUES (:secret, :id, now() + interval '1 day')"
                ),
                {"id": person, "secret": digest(f"invitation-{person.int}")},
            )
    assert await migrate(engine)
    async with engine.connect() as connection:
        kept = await connection.execute(text("SELECT id, password_hash FROM gateway.people ORDER BY id"))
        assert [tuple(row) for row in kept] == [(LOCAL, "hash"), (ELSEWHERE, None)]
        invited = await connection.execute(text("SELECT person_id FROM gateway.invitations"))
        assert [row.person_id for row in invited] == [LOCAL]
    await engine.dispose()
    app = create_app(
        settings.model_copy(update={"database_url": type(settings.database_url)(postgres.url(name))}),
        orchestrator_transport=orchestrator,
    )
    report = {"collector": "network", "discoveries": [{"kind": "host", "key": "192.0.2.7"}]}
    async with serving(app) as api:
        for person in (LOCAL, ELSEWHERE):
            by_token = {"Authorization": f"Bearer drt_{person.int}"}
            by_login = {"Authorization": "", "Cookie": f"approval=login-{person.int}"}
            for shown in (by_token, by_login):
                assert (await api.client.get("/api/v1/me", headers=shown)).status_code == 200
            refused = await api.client.post("/api/v1/production/discoveries", json=report, headers=by_token)
            assert refused.json()["type"] == "urn:dryrun:problem:not-this-collector"
            assert (await api.client.get("/api/v1/people", headers=by_token)).status_code == 403


async def test_discoveries_of_revision_11_are_covered_by_scans_and_changed_since_their_decision(postgres):
    name = f"old_{uuid.uuid4().hex[:12]}"
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    engine = create_engine(postgres.url(name))
    keys = (
        "10.0.0.1",
        "10.0.0.255:80/tcp",
        "10.0.0.1.example:80/tcp",
        "10.0.0.256",
        "10.0.0.1.:80/tcp",
        "[::1]",
    )
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA gateway"))
        await connection.run_sync(_upgrade_to("0011"))
        for number, key in enumerate(keys):
            await connection.execute(
                text(
                    "INSERT INTO gateway.discoveries (collector, kind, key, data, confidence, revision, "
                    "status, decided_as, changed_at) VALUES ('network', 'host', :key, '{}', 1, 2, :status, "
                    ":decided, now())"
                ),
                {"key": key, "status": "approved" if number == 0 else "pending"}
                | {"decided": "approved" if number < 2 else None},
            )
    assert await migrate(engine)
    columns = "host(host), change, decided_revision, gone_at, decided_sha256 IS NOT NULL"
    async with engine.connect() as connection:
        rows = await connection.execute(text(f"SELECT {columns} FROM gateway.discoveries ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            ("10.0.0.1", "changed", 2, None, True),
            ("10.0.0.255", "changed", None, None, False),
            *[(None, "new", None, None, False)] * 4,
        ]
    await engine.dispose()
