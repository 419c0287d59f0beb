"""Credentials known without the database: programs' tokens, and those that were valid lately."""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Iterable

from approval_api.identity.person import PROGRAM_PREFIX, Person, Proof
from approval_api.identity.program_token import ProgramToken
from approval_api.identity.roles import SCOPES, permissions_of
from approval_api.people.secret_values import digest

_LOOKED_UP_AT_ONCE = 3
_REMEMBERED_SECONDS = 600.0
_MOST_REMEMBERED = 10_000


class ProgramTokens:
    """The tokens of the settings, kept as digests so that comparing them does not reveal their lengths."""

    def __init__(self, known: Iterable[ProgramToken]) -> None:
        """Keep `known`."""
        self._known = [(digest(token.token.get_secret_value()), _program(token)) for token in known]

    def owner_of(self, token: str) -> Person | None:
        """Return whose token this is, or None. Takes the same time for any token."""
        shown = digest(token)
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


class RecentlyProven:
    """Credentials that were valid minutes ago. They prove nothing now; they are looked up first."""

    def __init__(self) -> None:
        """Begin without any."""
        self._proven: OrderedDict[bytes, float] = OrderedDict()
        self.turns_of_others = asyncio.Semaphore(_LOOKED_UP_AT_ONCE)
        """Held while any other credential is looked up: strangers cannot take all database connections."""

    def remember(self, credential: bytes) -> None:
        """Note that this credential was valid."""
        self._proven[credential] = time.monotonic()
        self._proven.move_to_end(credential)
        if len(self._proven) > _MOST_REMEMBERED:
            self._proven.popitem(last=False)

    def has(self, credential: bytes) -> bool:
        """Return whether this credential was valid a short time ago."""
        return time.monotonic() - self._proven.get(credential, float("-inf")) < _REMEMBERED_SECONDS
