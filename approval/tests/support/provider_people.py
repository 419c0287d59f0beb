"""People of a real provider of OpenID Connect, and what they do in a browser."""

from contextlib import contextmanager

import httpx2
from oidc_provider_mock import User
from sqlalchemy import text

ZOE = User(sub="subject-1", claims={"preferred_username": "Zoe", "name": "Zoë", "groups": ["ops", "x"]})
EVE = User(sub="subject-2", claims={"preferred_username": "eve", "groups": ["strangers"]})


async def go(browser, subject, wanted="/dryrun/sessions?x=1"):
    """Do what a browser and its person do; return the way back from the provider, not yet gone."""
    away = await browser.get("/sign-in/openid", params={"next": wanted})
    assert away.status_code == 303, away.text
    url = away.headers["location"]
    async with httpx2.AsyncClient(timeout=10, trust_env=False, verify=False) as elsewhere:
        back = await elsewhere.post(url, data={"sub": subject})
    return url, back.headers["location"]


@contextmanager
def groups(provider, given):
    """Let the provider name other groups for subject-1."""
    httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims | {"groups": given}).raise_for_status()
    try:
        yield
    finally:
        httpx2.put(f"{provider}/users/subject-1", json=ZOE.claims).raise_for_status()


async def arrive(browser):
    """Sign in at the provider; return what a page sends along."""
    assert (await browser.get((await go(browser, "subject-1"))[1])).status_code == 303
    return {"X-CSRF-Token": (await browser.get("/api/v1/me")).json()["csrf"]}


async def make_token(browser, csrf, *scopes):
    wanted = {"label": "t", "scopes": scopes, "days": 366}
    made = await browser.post("/api/v1/me/tokens", json=wanted, headers=csrf)
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['secret']}"}


async def run(engine, statement):
    async with engine.begin() as connection:
        return await connection.execute(text(statement))
