"""What has expired leaves the database, in bounded steps, and nothing else does."""

import pytest
from sqlalchemy import text

from approval_api.database import rounds
from approval_api.identity.roles import Role
from approval_api.people import purge

ROWS = ("logins", "invitations", "known_browsers", "login_throttle")


async def count(engine):
    async with engine.connect() as connection:
        return {
            table: await connection.scalar(text(f"SELECT count(*) FROM gateway.{table}")) for table in ROWS
        }


async def run(engine, *statements):
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


@pytest.fixture
async def used(browsers, engine):
    """One living row of each kind."""
    root = await browsers("root", Role.ADMIN)
    await (await browsers("root")).sign_in("not the right password")
    await root.ask("POST", "/people", json={"name": "zoe", "roles": ["viewer"]})
    return root


async def test_rows_in_use_stay(used, engine, settings):
    before = await count(engine)
    assert min(before.values()) >= 1
    assert set((await purge.remove_expired(engine, settings.login_limits)).values()) == {0}
    assert await count(engine) == before
    assert (await used.ask("GET", "/me")).status_code == 200


async def test_expired_rows_are_deleted(used, engine, settings):
    await run(
        engine,
        "UPDATE gateway.logins SET seen_at = now() - interval '9 hours'",
        "UPDATE gateway.invitations SET expires_at = now()",
        "UPDATE gateway.known_browsers SET seen_at = now() - interval '181 days'",
        "UPDATE gateway.login_throttle SET failed_at = now() - interval '31 minutes'",
    )
    removed = await purge.remove_expired(engine, settings.login_limits)
    assert min(removed.values()) >= 1
    assert set((await count(engine)).values()) == {0}


async def test_many_expired_rows_go_in_batches_and_counted_attempts_have_a_ceiling(
    engine, settings, monkeypatch
):
    monkeypatch.setattr(purge, "BATCH_ROWS", 100)
    monkeypatch.setattr(purge, "MAX_THROTTLE_ROWS", 250)
    await run(
        engine,
        "INSERT INTO gateway.login_throttle "
        "SELECT sha256(n::text::bytea), 1, now() - n * interval '1 second' "
        "FROM generate_series(1, 1000) AS n",
    )
    removed = await purge.remove_expired(engine, settings.login_limits)
    assert removed["login_throttle"] == 750
    async with engine.connect() as connection:
        oldest = await connection.scalar(
            text("SELECT extract(epoch FROM now() - min(failed_at)) FROM gateway.login_throttle")
        )
    assert oldest < 251 + 60


async def test_the_service_does_so_by_itself_without_dry_runs_too(settings, serving, engine, eventually):
    from approval_api.app import create_app

    await run(
        engine,
        "INSERT INTO gateway.login_throttle VALUES ('x', 1, now() - interval '1 hour')",
    )
    async with serving(create_app(settings.model_copy(update={"dryrun": "off"}))):

        async def gone():
            return (await count(engine))["login_throttle"] == 0

        await eventually(gone)


async def test_deleting_continues_after_a_database_outage(settings, engine, monkeypatch, caplog):
    tries = []

    async def failing(*_):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("away")
        raise KeyboardInterrupt

    monkeypatch.setattr(purge, "remove_expired", failing)
    monkeypatch.setattr(rounds, "_RETRY_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        await purge.run(engine, settings.login_limits)
    assert len(tries) == 2
    assert "expired rows wait for the database" in caplog.text
