"""What somebody may still do who is not there to show a credential."""

from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from approval_api.access.standing import Standing
from approval_api.identity.program_token import ProgramToken
from approval_api.identity.roles import Role

DAYS = timedelta(days=7)


async def add(engine, name, roles, *, active=True, issuer=None, confirmed="now()"):
    async with engine.begin() as connection:
        await connection.execute(
            text(f"""
            INSERT INTO gateway.people
                (id, name, display_name, roles, active, issuer, subject, confirmed_at, created_at, created_by)
            VALUES (:id, :name, :name, :roles, :active, :issuer, :subject, {confirmed}, now(), 'test')
            """),  # the tests' own words
            {
                "id": uuid4(),
                "name": name,
                "roles": roles,
                "active": active,
                "issuer": issuer,
                "subject": name if issuer else None,
            },
        )


@pytest.mark.parametrize(
    ("account", "may"),
    [
        ({"roles": ["operator"]}, True),
        ({"roles": ["viewer", "approver"]}, False),
        ({"roles": ["operator"], "active": False}, False),
        ({"roles": ["operator"], "issuer": "https://id.example"}, True),
        (
            {"roles": ["operator"], "issuer": "https://id.example", "confirmed": "now() - interval '8 days'"},
            False,
        ),
        ({"roles": ["operator"], "issuer": "https://id.example", "confirmed": "NULL"}, False),
    ],
)
async def test_a_person_may_start_sessions_by_the_account_as_it_is_now(engine, account, may):
    await add(engine, "vera", **account)
    assert await Standing(engine, (), DAYS).may_run("vera") is may


async def test_nobody_of_that_name_may_do_anything(engine):
    assert await Standing(engine, (), DAYS).may_run("nobody") is False


async def test_a_program_may_by_the_settings_alone(engine):
    await add(engine, "reader", ["operator"])
    programs = [
        ProgramToken(name=name, token=SecretStr(f"a-token-of-{name}-for-tests"), roles=frozenset({role}))
        for name, role in (("runner", Role.OPERATOR), ("reader", Role.VIEWER))
    ]
    standing = Standing(engine, programs, DAYS)
    answers = [await standing.may_run(f"program:{name}") for name in ("runner", "reader", "gone")]
    assert answers == [True, False, False]
