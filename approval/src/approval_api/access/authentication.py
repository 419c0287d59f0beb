"""Who asks, by cookie or by token, and whether they may: every route names the permission it needs."""

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.body_bounds import MAX_FIELDS, REPORT_BODY, SMALL_BODY
from approval_api.identity.person import PROGRAM_PREFIX, Person, Proof
from approval_api.identity.roles import LOGIN_ONLY, SCOPES, Permission, permissions_of
from approval_api.origin import require_csrf_field, require_csrf_header
from approval_api.people import logins, tokens
from approval_api.people.repository import Account
from approval_api.people.secret_values import TOKEN_PREFIX, csrf_of
from approval_api.people.tokens import ShownToken
from approval_api.settings import ProgramToken, Settings
from approval_api.web.problems import ProblemError
from approval_api.web.rate_limit import bucket_of_address, require_patience
from dryrun_contract.bounded_json import JsonBounds
from dryrun_serving.bodies import Sender

_LOOKED_UP_AT_ONCE = 3


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class ProgramTokens:
    """The tokens of the settings, kept as digests so that their lengths do not show in comparisons."""

    def __init__(self, known: Iterable[ProgramToken]) -> None:
        """Keep `known`."""
        self._known = [(_digest(token.token.get_secret_value()), _program(token)) for token in known]

    def owner_of(self, token: str) -> Person | None:
        """Return whose token this is, or None. Takes equally long whichever it is, or none."""
        shown = _digest(token)
        found = None
        for known, program in self._known:
            if hmac.compare_digest(known, shown):
                found = program
        return found


def _program(token: ProgramToken) -> Person:
    return Person(
        id=None,
        name=PROGRAM_PREFIX + token.name,
        display_name=token.name,
        roles=token.roles,
        permissions=permissions_of(token.roles) & SCOPES,
        proof=Proof.SETTING,
        collectors=token.collectors,
    )


def signed_in(account: Account, secret: str) -> Person:
    """Return the person of a login whose cookie holds `secret`: allowed what their roles allow."""
    return Person(
        id=account.id,
        name=account.name,
        display_name=account.display_name,
        roles=account.roles,
        permissions=permissions_of(account.roles),
        proof=Proof.COOKIE,
        collectors=None,
        csrf=csrf_of(secret),
    )


def _token_owner(shown: ShownToken) -> Person:
    """Return the person of a token: allowed what their roles and its scopes both allow, as both are now."""
    account = shown.account
    return Person(
        id=account.id,
        name=account.name,
        display_name=account.display_name,
        roles=account.roles,
        permissions=permissions_of(account.roles) & shown.scopes & SCOPES,
        proof=Proof.TOKEN,
        collectors=shown.collectors,
    )


async def find_person(request: Request) -> Person | None:
    """Return who asks, None when nothing was shown that counts. A token counts before a cookie.

    Looked up once for a request. Does not look at what a cookie's request has to prove before it may change
    something: that is `current_person`'s.
    """
    if "person" not in request.scope:
        proven: RecentlyProven = request.app.state.recently_proven
        credential = credential_of(request)
        if proven.has(credential):
            person = await _look_up(request)
        else:
            async with proven.turns_of_others:
                person = await _look_up(request)
        request.scope["person"] = person
        if person is not None:
            request.scope["actor"] = person.name
            proven.remember(credential)
    found: Person | None = request.scope["person"]
    return found


async def _look_up(request: Request) -> Person | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return await _by_token(request, scheme, token.strip()) if scheme else await _by_cookie(request)


async def _by_token(request: Request, scheme: str, token: str) -> Person | None:
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
        shown = await tokens.find(connection, token, settings.provider_word_for_tokens)
    if shown is None:
        return None
    if shown.word_is_old:
        request.scope["unproven"] = (
            "the owner of this token signs in at a provider, which has not confirmed them for "
            f"{settings.oidc_token_days:g} days; the token counts again once they have signed in in a browser"
        )
        return None
    return _token_owner(shown)


async def _by_cookie(request: Request) -> Person | None:
    secret = logins.read_cookie(request)
    if not secret:
        return None
    settings: Settings = request.app.state.settings
    engine: AsyncEngine = request.app.state.engine
    async with engine.begin() as connection:
        account = await logins.find(connection, secret, settings.login_limits)
    return None if account is None else signed_in(account, secret)


def credential_of(request: Request) -> bytes:
    """Return the digest of what was shown, b"" for nothing. A token counts before a cookie."""
    shown = request.headers.get("authorization") or logins.read_cookie(request)
    return _digest(shown) if shown else b""


class RecentlyProven:
    """What proved somebody within the last minutes. It proves nothing now; it decides who is looked up."""

    def __init__(self, seconds: float = 600, most: int = 10_000) -> None:
        """Remember up to `most` credentials, each for `seconds`."""
        self._seconds = seconds
        self._most = most
        self._proven: OrderedDict[bytes, float] = OrderedDict()
        self.turns_of_others = asyncio.Semaphore(_LOOKED_UP_AT_ONCE)
        """Held while something else is looked up: strangers do not take all connections to the database."""

    def remember(self, credential: bytes) -> None:
        """Note that this proved somebody."""
        self._proven[credential] = time.monotonic()
        self._proven.move_to_end(credential)
        if len(self._proven) > self._most:
            self._proven.popitem(last=False)

    def has(self, credential: bytes) -> bool:
        """Tell whether this proved somebody a short time ago."""
        return time.monotonic() - self._proven.get(credential, float("-inf")) < self._seconds


def shows_something(request: Request) -> bool:
    """Tell whether a request shows a token or a cookie, of whatever worth."""
    return bool(credential_of(request))


def showed_what_is_known(request: Request) -> bool:
    """Tell, without asking the database, whether what a request shows proved somebody before."""
    proven: RecentlyProven = request.app.state.recently_proven
    if proven.has(credential_of(request)):
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    programs: ProgramTokens = request.app.state.program_tokens
    return scheme.lower() == "bearer" and programs.owner_of(token.strip()) is not None


async def current_person(request: Request) -> Person:
    """Return who asks, judged by the head of the request alone.

    Raises ProblemError: 401 when nobody is proven, 403 `csrf` when a cookie's request that may change
    something does not prove that a page of ours sent it.
    """
    person = await find_person(request)
    request.scope["counted"] = True
    await require_patience(request, f"person {person.name}" if person else bucket_of_address(request))
    if person is None:
        why = request.scope.get("unproven")
        raise ProblemError(
            "sign-in-needed" if why else "unauthenticated",
            401,
            why or "sign in, or show a token: `Authorization: Bearer TOKEN`; make one under your account",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if person.csrf is not None:
        request.scope["csrf_in_form"] = require_csrf_header(request, person.csrf)
    return person


# These only tell OpenAPI what may be shown; `find_person` looks at it.
_bearer = HTTPBearer(auto_error=False, description="A personal token, or one of APPROVAL_TOKENS.")
_cookie = APIKeyCookie(
    name="approval", auto_error=False, description="A login; what changes something needs `X-CSRF-Token` too."
)


@dataclass(frozen=True, slots=True)
class Requires:
    """Dependency of a route: lets in who has `permission`, and hands over who it is."""

    permission: Permission
    body: JsonBounds = SMALL_BODY
    """What they may send."""

    async def __call__(
        self,
        request: Request,
        _bearer_shown: Annotated[object, Depends(_bearer)],
        _cookie_shown: Annotated[object, Depends(_cookie)],
    ) -> Person:
        """Return who asks. Raises ProblemError: 401, or 403 for who may not do this."""
        person = await self.admit(request)
        if person.csrf is not None and request.scope.pop("csrf_in_form", False):
            await require_csrf_field(request, person.csrf)
        return person

    async def admit(self, request: Request) -> Person:
        """Return who asks, judged by the head of the request alone, once for each request."""
        if request.scope.get("admitted") is None:
            request.scope["permission"] = self.permission
            person = await current_person(request)
            require(person, self.permission)
            request.scope["admitted"] = person
        admitted: Person = request.scope["admitted"]
        return admitted


async def admit_sender(request: Request) -> Sender:
    """Return who is about to send a body to the route that was chosen, and how much they may send.

    The route says so by its `Requires`; one without takes a body from nobody, unless it is open.

    Raises ProblemError: 401, or 403 for who may not do this, and 403 for a route that does not say who may.
    """
    for dependant in _all_of(request.scope["route"].dependant):
        if isinstance(dependant.call, Requires):
            person = await dependant.call.admit(request)
            return Sender(f"person {person.name}", dependant.call.body, MAX_FIELDS)
        if dependant.call is open_to_all:
            return Sender(bucket_of_address(request), SMALL_BODY, MAX_FIELDS)
    raise ProblemError("forbidden", 403, "this takes no body", title="Not allowed")


def _all_of(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _all_of(each)


def require(person: Person, permission: Permission) -> None:
    """Raise a 403 problem when `person` may not do what needs `permission`."""
    if person.may(permission):
        return
    if permission in permissions_of(person.roles) & LOGIN_ONLY:
        detail = f"this needs the permission {permission.value!r}, which no token has; sign in in a browser"
    elif permission in permissions_of(person.roles):
        detail = f"this needs the permission {permission.value!r}, which the token shown was not made for"
    else:
        roles = ", ".join(sorted(person.roles)) or "none"
        detail = f"this needs the permission {permission.value!r}; your roles ({roles}) do not give it"
    raise ProblemError("forbidden", 403, f"{detail}. An administrator can change roles", title="Not allowed")


def open_to_all() -> None:
    """Dependency of a route that asks for no permission: says so where the route is declared."""


OPEN = Depends(open_to_all)

Reader = Annotated[Person, Depends(Requires(Permission.READ))]
Runner = Annotated[Person, Depends(Requires(Permission.RUN))]
Decider = Annotated[Person, Depends(Requires(Permission.DECIDE))]
Collecting = Annotated[Person, Depends(Requires(Permission.COLLECT, REPORT_BODY))]
Administrator = Annotated[Person, Depends(Requires(Permission.ADMINISTER))]
PeopleManager = Annotated[Person, Depends(Requires(Permission.MANAGE_PEOPLE))]
AccountOwner = Annotated[Person, Depends(Requires(Permission.OWN_ACCOUNT))]
