"""Who a request comes from: by the cookie of a login, by a token, or nobody."""

from typing import Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.access.credentials import ProgramTokens, RecentlyProven
from approval_api.identity.person import Person
from approval_api.people import logins, tokens
from approval_api.people.secret_values import TOKEN_PREFIX, digest
from approval_api.settings import Settings
from approval_api.web.origin import require_csrf_header
from approval_api.web.problems import ProblemError
from approval_api.web.rate_limit import bucket_of_address, require_patience

_NO_CREDENTIAL: Final = "sign in, or show a token: `Authorization: Bearer TOKEN`; make one under your account"
_UNKNOWN: Final = (
    "this token is not known: it is wrong, has expired or was removed; make another one under your account"
)


async def find_person(request: Request, *, is_use: bool = True) -> Person | None:
    """Return who sends the request; None without a valid credential. A token wins over a cookie.

    Looked up once per request, which counts as use of the login or token if `is_use`. The CSRF check of a
    cookie's request is done by `current_person`.
    """
    if "person" not in request.scope:
        proven: RecentlyProven = request.app.state.recently_proven
        credential = credential_of(request)
        if proven.has(credential):
            person = await _look_up(request, is_use=is_use)
        else:
            async with proven.turns_of_others:
                person = await _look_up(request, is_use=is_use)
        request.scope["person"] = person
        if person is not None:
            request.scope["actor"] = person.name
            proven.remember(credential)
    found: Person | None = request.scope["person"]
    return found


async def _look_up(request: Request, *, is_use: bool) -> Person | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return await _by_token(request, scheme, token.strip(), is_use=is_use)
    return await _by_cookie(request, is_use=is_use)


async def _by_token(request: Request, scheme: str, token: str, *, is_use: bool) -> Person | None:
    if scheme.lower() != "bearer" or not token:
        return None
    state = request.app.state
    programs: ProgramTokens = state.program_tokens
    program = programs.owner_of(token)
    if program is not None or not token.startswith(TOKEN_PREFIX):
        return program
    engine: AsyncEngine = state.engine
    settings: Settings = state.settings
    async with engine.begin() as connection:
        shown = await tokens.find(connection, token, settings.provider_word_for_tokens, is_use=is_use)
    if shown is None:
        return None
    if shown.confirmation_expired:
        request.scope["unproven"] = (
            "the owner of this token signs in at a provider, which has not confirmed them for "
            f"{settings.oidc_token_days:g} days; the token works again once they have signed in in a browser"
        )
        return None
    return shown.person


async def _by_cookie(request: Request, *, is_use: bool) -> Person | None:
    secret = logins.read_cookie(request)
    if not secret:
        return None
    settings: Settings = request.app.state.settings
    engine: AsyncEngine = request.app.state.engine
    async with engine.begin() as connection:
        account = await logins.find(connection, secret, settings.login_limits, is_use=is_use)
    return None if account is None else logins.person_of(account, secret)


def credential_of(request: Request) -> bytes:
    """Return the digest of the credential, b"" without one. A token wins over a cookie."""
    shown = request.headers.get("authorization") or logins.read_cookie(request)
    return digest(shown) if shown else b""


def shows_something(request: Request) -> bool:
    """Return whether a request shows a token or a cookie, valid or not."""
    return bool(credential_of(request))


def showed_what_is_known(request: Request) -> bool:
    """Return, without asking the database, whether this credential was valid a short time ago."""
    proven: RecentlyProven = request.app.state.recently_proven
    if proven.has(credential_of(request)):
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    programs: ProgramTokens = request.app.state.program_tokens
    return scheme.lower() == "bearer" and programs.owner_of(token.strip()) is not None


async def current_person(request: Request) -> Person:
    """Return who sends the request, judged by its head alone.

    Raises ProblemError: 401 without a valid credential, 403 `csrf` when a cookie's request that may change
    something does not prove that one of our own pages sent it.
    """
    person = await find_person(request)
    request.scope["counted"] = True
    await require_patience(request, f"person {person.name}" if person else bucket_of_address(request))
    if person is None:
        why = request.scope.get("unproven")
        raise ProblemError(
            "sign-in-needed" if why else "unauthenticated",
            401,
            why or (_UNKNOWN if request.headers.get("authorization") else _NO_CREDENTIAL),
            headers={"WWW-Authenticate": "Bearer"},
        )
    if person.csrf is not None:
        request.scope["csrf_in_form"] = require_csrf_header(request, person.csrf)
    return person
