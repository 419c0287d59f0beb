"""Signing in and out, and choosing a password: what routes and pages share."""

import re
from dataclasses import replace

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.audit.entry import AuditOutcome, entry_of, write
from approval_api.audit.log import note
from approval_api.identity.person import Person
from approval_api.people import invitations, known_browsers, logins, repository, throttle
from approval_api.people.passwords import PasswordRefusedError, Passwords, require_strength
from approval_api.people.repository import Account
from approval_api.people.schemas import NAME
from approval_api.web.origin import address_of, require_same_origin
from approval_api.web.problems import ProblemError
from approval_api.web.rate_limit import require_turn_of_address
from dryrun_contract.problem import Fault
from dryrun_serving.networks import site_of


def _engine(request: Request) -> AsyncEngine:
    engine: AsyncEngine = request.app.state.engine
    return engine


def _passwords(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


def weak_password(error: PasswordRefusedError, where: str) -> ProblemError:
    """Return the 422 problem."""
    return ProblemError(
        "weak-password",
        422,
        str(error),
        title="The password is too weak",
        faults=(Fault(where=where, what=str(error)),),
    )


async def sign_in(request: Request, response: Response, name: str, password: str) -> Person:
    """Begin a login in this browser; an earlier one ends.

    Raises ProblemError: 401 `wrong-credentials` (the same for an unknown name), 429 `too-many-tries`.
    """
    require_same_origin(request)
    await require_turn_of_address(request)
    name = name.strip().lower()
    address_tries = throttle.address(address_of(request))
    async with _engine(request).begin() as connection:
        # Text that is no name is nobody's, and may hold what the database cannot even be asked about.
        account = await repository.find_account(connection, name) if re.fullmatch(NAME, name) else None
        known = await known_browsers.shown(connection, request, account.id) if account is not None else None
        # The address first: while it has to wait, it does not count against the account's owner.
        counted = (throttle.known_browser(known),) if known else (address_tries, throttle.account(name))
        for subject in counted:
            seconds = await throttle.count_try(connection, subject)
            if seconds:
                break
    if seconds:
        raise _too_many_tries(seconds)
    stored = account.password_hash if account is not None and account.active else None
    # No transaction is open meanwhile: this takes a tenth of a second or longer.
    browser = f"browser {known}" if known else None
    right = await _passwords(request).matches(stored, password, site_of(address_of(request)), known=browser)
    if account is None or not right:
        # An unknown name may be a password typed into the wrong field: it is not logged.
        await _write_refused(request, account.name if account is not None else "an unknown name")
        raise ProblemError(
            "wrong-credentials",
            401,
            "The name or the password is wrong. If you forgot your password, ask an administrator for a link",
            title="Not signed in",
        )
    account = await _with_a_renewed_hash(request, account, password, browser)
    async with _engine(request).begin() as connection:
        if await repository.still_proves(connection, account):
            for subject in counted:
                if subject == address_tries:
                    await throttle.forgive_one(connection, subject)
                else:
                    await throttle.forget(connection, subject)
            await known_browsers.remember(connection, request, response, account.id)
            return await begin_login(request, response, connection, account, "sign_in")
    await _write_refused(request, account.name)
    raise ProblemError("wrong-credentials", 401, "the password was changed meanwhile", title="Not signed in")


async def _write_refused(request: Request, name: str) -> None:
    async with _engine(request).begin() as connection:
        await write(connection, entry_of(request, "sign_in", AuditOutcome.REFUSED, object_=name))


async def _with_a_renewed_hash(
    request: Request, account: Account, password: str, browser: str | None
) -> Account:
    """Return the account of a right `password`, its hash made anew if the parameters have changed.

    Of several sign-ins at the same moment one stores it; to the others the hash is another one then, and the
    password is verified again: it may have been changed instead.
    """
    if account.password_hash is None or not _passwords(request).is_outdated(account.password_hash):
        return account
    renewed = await _passwords(request).hash(password, account.name)
    async with _engine(request).begin() as connection:
        if await repository.still_proves(connection, account, to_change=True):
            await repository.set_password(connection, account.id, renewed)
            return replace(account, password_hash=renewed)
        now = await repository.find_account(connection, account.name)
    site = site_of(address_of(request))
    if now is not None and await _passwords(request).matches(
        now.password_hash, password, site, known=browser
    ):
        return now
    return account


def _too_many_tries(seconds: int) -> ProblemError:
    return ProblemError(
        "too-many-tries",
        429,
        f"too many failed attempts; try again in {seconds} s",
        title="Wait before you try again",
        headers={"Retry-After": str(seconds)},
    )


async def begin_login(
    request: Request, response: Response, connection: AsyncConnection, account: Account, action: str
) -> Person:
    """Begin a login of `account`, which was authenticated; the browser's earlier login ends."""
    earlier = logins.read_cookie(request)
    if earlier:
        await logins.end(connection, earlier)
    secret = await logins.begin(connection, account.id, address_of(request))
    person = logins.person_of(account, secret)
    await write(connection, entry_of(request, action, AuditOutcome.DONE, person=person, object_=account.name))
    logins.set_cookie(request, response, secret)
    request.scope["actor"] = account.name
    return person


async def sign_out(request: Request, response: Response, person: Person) -> None:
    """End this browser's login."""
    secret = logins.read_cookie(request)
    async with _engine(request).begin() as connection:
        if secret:
            await logins.end(connection, secret)
    note(request, object_=person.name)
    logins.delete_cookie(request, response)


async def take_invitation(request: Request, response: Response, secret: str, password: str) -> Person:
    """Store the password of an invited person, end their other logins and sign them in.

    Raises ProblemError: 410 `invitation-gone`, 422 `weak-password`.
    """
    require_same_origin(request)
    await require_turn_of_address(request)
    gone = ProblemError(
        "invitation-gone",
        410,
        "this link was used, replaced or has expired; ask an administrator for a new one",
        title="The invitation is gone",
    )
    async with _engine(request).begin() as connection:
        account = await invitations.find(connection, secret)
    if account is None:
        raise gone
    try:
        require_strength(password, account.name)
    except PasswordRefusedError as error:
        raise weak_password(error, "body.password") from error
    hashed = await _passwords(request).hash(password, account.name)
    async with _engine(request).begin() as connection:
        if await invitations.take(connection, secret) is None:
            raise gone
        await repository.set_password(connection, account.id, hashed)
        await logins.end_all_of(connection, account.id)
        await known_browsers.forget_all_of(connection, account.id)
        await known_browsers.remember(connection, request, response, account.id)
        await throttle.forget(connection, throttle.account(account.name))
        return await begin_login(request, response, connection, account, "take_invitation")


async def change_password(
    request: Request, response: Response, person: Person, current: str, new: str
) -> None:
    """Store a new password; logins in other browsers end, and known browsers are forgotten.

    Raises ProblemError: 403, 422, or 429 `too-many-tries`.
    """
    assert person.id is not None  # programs have no account, and no permission for this
    tries = throttle.password_change(person.id)
    async with _engine(request).begin() as connection:
        account = await repository.find_account(connection, person.name)
        seconds = await throttle.count_try(connection, tries)
    if seconds:
        raise _too_many_tries(seconds)
    if account is None:
        raise ProblemError("unknown-person", 404, "your account was removed meanwhile")
    site = site_of(address_of(request))
    if not await _passwords(request).matches(account.password_hash, current, site, known=person.name):
        raise ProblemError("wrong-credentials", 403, "the current password is wrong")
    try:
        require_strength(new, person.name)
    except PasswordRefusedError as error:
        raise weak_password(error, "body.new") from error
    hashed = await _passwords(request).hash(new, account.name)
    async with _engine(request).begin() as connection:
        if not await repository.still_proves(connection, account, to_change=True):
            # Whoever changed it may have done so because somebody else knows the earlier one.
            raise ProblemError("wrong-credentials", 403, "the password was changed meanwhile")
        await throttle.forget(connection, tries)
        await repository.set_password(connection, account.id, hashed)
        await logins.end_all_of(connection, account.id, but=logins.read_cookie(request))
        await known_browsers.forget_all_of(connection, account.id)
        await known_browsers.remember(connection, request, response, account.id)
