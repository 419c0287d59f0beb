"""Routes of the sign-in at a provider: away to it, and back from it. For browsers; not part of the API."""

import base64
import hmac
import json
from dataclasses import asdict
from typing import Annotated, NoReturn

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.access.permission import OPEN
from approval_api.audit.entry import AuditOutcome, entry_of, write
from approval_api.pages.rendering import see_other
from approval_api.people import logins, repository, tokens
from approval_api.people.openid import (
    Attempt,
    Identity,
    OpenIdError,
    OpenIdProvider,
    ProviderUnavailableError,
)
from approval_api.people.repository import Account
from approval_api.people.sign_in import begin_login
from approval_api.web.origin import own_origin, own_path
from approval_api.web.problems import ProblemError
from approval_api.web.rate_limit import require_turn_of_address
from dryrun_contract.bounded_json import JsonBounds, read_model

router = APIRouter(prefix="/sign-in/openid", include_in_schema=False, dependencies=[OPEN])

_ATTEMPT_SECONDS = 600
_ACTION = "sign_in_openid"
_ATTEMPT_BOUNDS = JsonBounds(size=16 * 1024, values=8, depth=1)


def _provider(request: Request) -> OpenIdProvider:
    provider: OpenIdProvider | None = request.app.state.openid
    if provider is None:
        raise ProblemError(
            "not-found", 404, "sign-in at a provider is not set up here (APPROVAL_OIDC_ISSUER)"
        )
    return provider


def _redirect_uri(request: Request) -> str:
    return f"{own_origin(request)}{router.prefix}/callback"


def _cookie_name(request: Request) -> str:
    return logins.cookie_name(secure=logins.is_secure(request)) + "-openid"


def _refusal(error: OpenIdError) -> ProblemError:
    if isinstance(error, ProviderUnavailableError):
        return ProblemError("provider-unavailable", 503, f"{error}; try again in a moment, or by password")
    return ProblemError("not-signed-in", 403, str(error), title="Not signed in")


@router.get("")
async def begin_openid(
    request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = "/"
) -> Response:
    """Send the browser to the provider."""
    await require_turn_of_address(request)
    try:
        url, attempt = await _provider(request).begin(_redirect_uri(request), own_path(wanted))
    except OpenIdError as error:
        raise _refusal(error) from error
    response = see_other(url)
    kept = base64.urlsafe_b64encode(json.dumps(asdict(attempt)).encode()).decode()
    response.set_cookie(
        _cookie_name(request),
        kept,
        max_age=_ATTEMPT_SECONDS,
        path="/",
        secure=logins.is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/callback")
async def finish_openid(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Sign in whom the provider sent back."""
    await require_turn_of_address(request)
    provider = _provider(request)
    attempt = _attempt(request)
    if attempt is None or not hmac.compare_digest(state.encode(), attempt.state.encode()):
        raise _refusal(OpenIdError("this answer belongs to no sign-in of this browser; begin again"))
    engine: AsyncEngine = request.app.state.engine
    try:
        identity = await provider.finish(_redirect_uri(request), code, attempt)
        if not identity.roles:
            await _withdraw(request, identity, provider.settings.roles_claim)
        response = see_other(own_path(attempt.wanted))
        async with engine.begin() as connection:
            account = await _account(connection, identity)
            await begin_login(request, response, connection, account, _ACTION)
    except OpenIdError as error:
        async with engine.begin() as connection:
            await write(connection, entry_of(request, _ACTION, AuditOutcome.REFUSED, detail=str(error)))
        raise _refusal(error) from error
    secure = logins.is_secure(request)
    response.delete_cookie(_cookie_name(request), path="/", secure=secure, httponly=True, samesite="lax")
    return response


def _attempt(request: Request) -> Attempt | None:
    try:
        cookie = request.cookies.get(_cookie_name(request), "")
        return read_model(Attempt, base64.urlsafe_b64decode(cookie), _ATTEMPT_BOUNDS)
    except ValueError:
        return None


async def _withdraw(request: Request, identity: Identity, claim: str) -> NoReturn:
    """End all that a person has here whom the provider gives no role. Raises OpenIdError, which says so."""
    engine: AsyncEngine = request.app.state.engine
    async with engine.begin() as connection:
        account = await repository.find_subject(connection, identity.issuer, identity.subject)
        if account is not None:
            await _end_all_of(request, connection, account, identity)
    raise OpenIdError(
        f"the provider names no group in {claim!r} that gives a role here; ask an administrator"
    )


async def _end_all_of(
    request: Request, connection: AsyncConnection, account: Account, identity: Identity
) -> None:
    await repository.confirm(connection, account.id, identity.display_name, ())
    ended = await logins.end_all_of(connection, account.id)
    removed = await tokens.remove_all_of(connection, account.id)
    if account.roles or ended or removed:
        had = ", ".join(sorted(account.roles)) or "no role"
        detail = f"was {had}; {ended} logins ended, {removed} tokens removed"
        entry = entry_of(request, "withdraw_roles", AuditOutcome.DONE, object_=account.name, detail=detail)
        await write(connection, entry)


async def _account(connection: AsyncConnection, identity: Identity) -> Account:
    """Return the account that the provider means, made at the first sign-in; roles as it says now."""
    account = await repository.find_subject(connection, identity.issuer, identity.subject)
    if account is None:
        account = await _add(connection, identity)
    if not account.active:
        raise OpenIdError("this account may not sign in here any more")
    await repository.confirm(connection, account.id, identity.display_name, identity.roles)
    # Whoever deactivates it waits for this transaction from here on, and may have done so just before.
    found = await repository.find_subject(connection, identity.issuer, identity.subject)
    if found is None or not found.active:
        raise OpenIdError("this account may not sign in here any more")
    return found


async def _add(connection: AsyncConnection, identity: Identity) -> Account:
    """Store the account of a first sign-in; return the one that a sign-in at the same moment stored."""
    taken = None
    try:
        async with connection.begin_nested():
            await repository.add(
                connection,
                name=identity.name,
                display_name=identity.display_name,
                roles=identity.roles,
                created_by=identity.issuer,
                issuer=identity.issuer,
                subject=identity.subject,
            )
    except IntegrityError as error:
        taken = error
    account = await repository.find_subject(connection, identity.issuer, identity.subject)
    if account is None:
        raise OpenIdError(
            f"the name {identity.name!r} belongs to another account here; ask an administrator"
        ) from taken
    return account
