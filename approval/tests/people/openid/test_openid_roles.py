"""What the provider says later holds here: roles follow it, and logins and tokens end with them."""

import asyncio

import httpx2
from provider_people import ZOE, arrive, go, groups, make_token, run

from approval_api.identity.roles import Role
from approval_api.people import tokens


async def test_roles_follow_the_provider_at_each_sign_in(browser, provider):
    await browser.get((await go(browser, "subject-1"))[1])
    try:
        httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims | {"groups": "leads"}).raise_for_status()
        await browser.get((await go(browser, "subject-1"))[1])
        assert (await browser.get("/api/v1/me")).json()["roles"] == ["admin"]
    finally:
        httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims).raise_for_status()


async def test_a_role_withdrawn_at_the_provider_ends_logins_and_tokens_here(browser, api, provider, engine):
    async with httpx2.AsyncClient(
        base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
    ) as elsewhere:
        await arrive(elsewhere)
        token = await make_token(browser, await arrive(browser), "read", "run")
        assert (await api.client.get("/api/v1/me", headers=token)).status_code == 200
        with groups(provider, ["strangers"]):
            refused = await browser.get((await go(browser, "subject-1"))[1])
        assert (refused.status_code, "no group" in refused.json()["detail"]) == (403, True)
        for client in (browser, elsewhere):
            assert (await client.get("/api/v1/me")).status_code == 401
    assert (await api.client.get("/api/v1/me", headers=token)).status_code == 401
    assert (await run(engine, "SELECT roles FROM gateway.people")).scalar() == []
    for table in ("logins", "api_tokens"):
        assert (await run(engine, f"SELECT count(*) FROM gateway.{table}")).scalar() == 0
    lines = await run(
        engine, "SELECT action, object, outcome, detail FROM gateway.audit_log ORDER BY id DESC LIMIT 2"
    )
    (refusal, withdrawal) = lines.all()
    assert (refusal.action, refusal.outcome) == ("sign_in_openid", "refused")
    assert (withdrawal.action, withdrawal.object, withdrawal.outcome) == ("withdraw_roles", "zoe", "done")
    assert withdrawal.detail == "was operator, viewer; 2 logins ended, 1 tokens removed"


async def test_a_person_with_a_role_again_returns_without_the_old_tokens(browser, api, provider):
    token = await make_token(browser, await arrive(browser), "read")
    with groups(provider, []):
        await browser.get((await go(browser, "subject-1"))[1])
    await arrive(browser)
    assert (await browser.get("/api/v1/me")).json()["roles"] == ["operator", "viewer"]
    assert (await api.client.get("/api/v1/me", headers=token)).status_code == 401


async def test_a_role_lowered_at_the_provider_cuts_tokens_and_other_logins_from_then_on(
    browser, api, provider
):
    async with httpx2.AsyncClient(
        base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
    ) as elsewhere:
        with groups(provider, ["leads"]):
            await arrive(elsewhere)
            token = await make_token(browser, await arrive(browser), "read", "decide", "administer")
            assert (await api.client.get("/api/v1/people", headers=token)).status_code == 200
        await arrive(browser)
        for answer in (
            await api.client.get("/api/v1/people", headers=token),
            await elsewhere.get("/api/v1/people"),
        ):
            assert answer.status_code == 403
        me = (await api.client.get("/api/v1/me", headers=token)).json()
        assert me["permissions"] == ["read"]


async def test_a_login_is_valid_while_the_providers_confirmation_is_recent(browser, engine):
    await arrive(browser)
    await run(engine, "UPDATE gateway.people SET confirmed_at = now() - interval '7 hours 55 minutes'")
    assert (await browser.get("/api/v1/me")).status_code == 200
    await run(engine, "UPDATE gateway.people SET confirmed_at = now() - interval '8 hours 5 minutes'")
    assert (await browser.get("/api/v1/me")).status_code == 401
    await arrive(browser)
    assert (await browser.get("/api/v1/me")).status_code == 200


async def test_a_token_whose_owner_stays_away_is_refused_with_the_reason(browser, api, engine):
    token = await make_token(browser, await arrive(browser), "read")
    await run(engine, "UPDATE gateway.people SET confirmed_at = now() - interval '6 days 23 hours'")
    assert (await api.client.get("/api/v1/me", headers=token)).status_code == 200
    await run(engine, "UPDATE gateway.people SET confirmed_at = now() - interval '7 days 1 hour'")
    answer = await api.client.get("/api/v1/me", headers=token)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:dryrun:problem:sign-in-needed")
    assert "7 days" in answer.json()["detail"]
    await arrive(browser)
    assert (await api.client.get("/api/v1/me", headers=token)).status_code == 200


async def test_an_account_never_confirmed_counts_as_expired(browser, api, engine):
    """As an API of the version before stores people while both run."""
    token = await make_token(browser, await arrive(browser), "read")
    await run(engine, "UPDATE gateway.people SET confirmed_at = NULL")
    assert (await browser.get("/api/v1/me")).status_code == 401
    assert (await api.client.get("/api/v1/me", headers=token)).json()["type"].endswith("sign-in-needed")


async def test_a_token_of_a_person_with_a_password_needs_no_providers_confirmation(browsers, api, engine):
    ada = await browsers("ada", Role.VIEWER)
    made = (await ada.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})).json()
    await run(engine, "UPDATE gateway.people SET created_at = now() - interval '300 days'")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert (await api.client.get("/api/v1/me", headers=headers)).status_code == 200
    assert (await ada.ask("GET", "/me")).status_code == 200


async def test_no_token_is_made_while_its_persons_roles_are_withdrawn(
    browser, api, provider, engine, slow_after
):
    """It would count again once the provider gives them back."""
    csrf = await arrive(browser)
    removed = slow_after(tokens, "remove_all_of")
    async with httpx2.AsyncClient(
        base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
    ) as elsewhere:
        with groups(provider, ["strangers"]):
            withdrawing = asyncio.create_task(elsewhere.get((await go(elsewhere, "subject-1"))[1]))
            await removed.wait()
            made = await browser.post(
                "/api/v1/me/tokens", json={"label": "t", "scopes": ["read"]}, headers=csrf
            )
            assert (await withdrawing).status_code == 403
    assert made.status_code == 403
    assert (await run(engine, "SELECT count(*) FROM gateway.api_tokens")).scalar() == 0
