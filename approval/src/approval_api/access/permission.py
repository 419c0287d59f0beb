"""Permissions of routes: each declares the one it needs, or that it is open to all."""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyCookie, HTTPBearer

from approval_api.access.authentication import current_person, find_person
from approval_api.access.turns import turn_of
from approval_api.identity.person import Person, Proof
from approval_api.identity.roles import LOGIN_ONLY, Permission, permissions_of
from approval_api.web.origin import SAFE_METHODS, require_csrf_field
from approval_api.web.problems import ProblemError
from approval_api.web.rate_limit import bucket_of_address
from dryrun_contract.bounded_json import JsonBounds
from dryrun_contract.discovery import LINE_BOUNDS
from dryrun_serving.bodies import Sender

SMALL_BODY = JsonBounds(size=64 * 1024, values=4_000)
"""The default of every route: 500 decisions in one request are 1,500 values."""
REPORT_BODY = JsonBounds(
    size=4 * 1024 * 1024,
    values=100_000,
    depth=LINE_BOUNDS.depth + 2,
    key_length=LINE_BOUNDS.key_length,
)
"""One report from a collector; at most 500 discoveries, each as deep and with keys as long as a line may."""
MAX_FIELDS = 1_000
"""The most fields of a form."""
ADMITTED_SECONDS = 1.0
"""How long a sender counts as admitted while their request is read and waits for its turn."""

# These only describe the credentials in OpenAPI; `find_person` reads them.
_bearer = HTTPBearer(auto_error=False, description="A personal token, or one of APPROVAL_TOKENS.")
_cookie = APIKeyCookie(
    name="approval",
    auto_error=False,
    description="A login; requests that change something need `X-CSRF-Token` too.",
)


@dataclass(frozen=True, slots=True)
class Requires:
    """Dependency of a route: admits people with `permission` in their turn, and passes on who it is."""

    permission: Permission
    body: JsonBounds = SMALL_BODY
    """Bounds of the body they may send."""

    async def __call__(
        self,
        request: Request,
        _bearer_shown: Annotated[object, Depends(_bearer)],
        _cookie_shown: Annotated[object, Depends(_cookie)],
    ) -> AsyncIterator[Person]:
        """Yield who sends the request. Raises ProblemError: 401, 403 without the permission, or 429."""
        person = await self.admit(request)
        if request.method not in SAFE_METHODS:
            await request.body()  # before the sender is looked up again: it may take half a minute
        if person.csrf is not None and request.scope.pop("csrf_in_form", False):
            await require_csrf_field(request, person.csrf)
        async with turn_of(request, person):
            yield await self._still_admitted(request, person)

    async def admit(self, request: Request) -> Person:
        """Return who sends the request, judged by its head alone, once per request."""
        if request.scope.get("admitted") is None:
            request.scope["permission"] = self.permission
            request.scope["admitted_at"] = time.monotonic()
            person = await current_person(request)
            require(person, self.permission)
            request.scope["admitted"] = person
        admitted: Person = request.scope["admitted"]
        return admitted

    async def _still_admitted(self, request: Request, person: Person) -> Person:
        """Return the sender, looked up again if their body or their turn was waited for.

        Who sends a body slowly would otherwise go on for half a minute with a right, a login or a token that
        was withdrawn. Raises ProblemError: 401, or 403.
        """
        if time.monotonic() - request.scope["admitted_at"] < ADMITTED_SECONDS:
            return person
        request.scope["admitted_at"] = time.monotonic()
        del request.scope["person"]
        again = await find_person(request)
        if again is None:
            request.scope["person"] = person  # whose refusal the audit log states
            raise ProblemError(
                "unauthenticated",
                401,
                "this login or token ended while the request was read; nothing was done",
                headers={"WWW-Authenticate": "Bearer"},
            )
        require(again, self.permission)
        request.scope["admitted"] = again
        return again


async def admit_sender(request: Request) -> Sender:
    """Return who is about to send a body to the route that was chosen, and how much they may send.

    The route says so by its `Requires`; one without takes a body from nobody, unless it is open.

    Raises ProblemError: 401, or 403 without the permission, or on a route that declares none.
    """
    for dependant in _all_of(request.scope["route"].dependant):
        if isinstance(dependant.call, Requires):
            person = await dependant.call.admit(request)
            return Sender(f"person {person.name}", dependant.call.body, MAX_FIELDS)
        if dependant.call is open_to_all:
            return Sender(bucket_of_address(request), SMALL_BODY, MAX_FIELDS)
    raise ProblemError("forbidden", 403, "this route takes no body", title="Not allowed")


def permission_of(dependant: Dependant) -> Permission | None:
    """Return the permission that a route's dependencies require; None for one that is open to all."""
    found = (each.call for each in _all_of(dependant))
    return next((call.permission for call in found if isinstance(call, Requires)), None)


def _all_of(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _all_of(each)


def require(person: Person, permission: Permission) -> None:
    """Raise a 403 problem when `person` lacks `permission`."""
    if person.may(permission):
        return
    roles = ", ".join(sorted(person.roles)) or "none"
    is_program = person.proof is Proof.SETTING
    if permission in LOGIN_ONLY and (is_program or permission in permissions_of(person.roles)):
        why = ", which no token has; sign in in a browser"
    elif permission in permissions_of(person.roles):
        why = ", which is not among this token's scopes; make one with it"
    elif is_program:
        why = f"; this program's roles ({roles}) do not give it. They are set in APPROVAL_TOKENS"
    else:
        why = f"; your roles ({roles}) do not give it. An administrator can change roles"
    detail = f"this needs the permission {permission.value!r}{why}"
    raise ProblemError("forbidden", 403, detail, title="Not allowed")


def require_no_token(person: Person) -> None:
    """Raise a 403 problem for somebody's token: what is made here would outlive it.

    A program's token may: the operator configures it, as they could configure this.
    """
    if person.proof is Proof.TOKEN:
        raise ProblemError(
            "forbidden",
            403,
            "a person's token may not request what goes on after it has ended; sign in with a browser",
            title="Not allowed",
        )


def open_to_all() -> None:
    """Dependency of a route that needs no permission: says so where the route is declared."""


OPEN = Depends(open_to_all)

Reader = Annotated[Person, Depends(Requires(Permission.READ), scope="function")]
Runner = Annotated[Person, Depends(Requires(Permission.RUN), scope="function")]
Decider = Annotated[Person, Depends(Requires(Permission.DECIDE), scope="function")]
Collecting = Annotated[Person, Depends(Requires(Permission.COLLECT, REPORT_BODY), scope="function")]
Administrator = Annotated[Person, Depends(Requires(Permission.ADMINISTER), scope="function")]
PeopleManager = Annotated[Person, Depends(Requires(Permission.MANAGE_PEOPLE), scope="function")]
AccountOwner = Annotated[Person, Depends(Requires(Permission.OWN_ACCOUNT), scope="function")]
