"""Passwords: Argon2id, one at a time, and equally slow for an unknown name."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from approval_api.people.password_turns import PasswordTurns, RecentFailures
from approval_api.web.bulkhead import busy
from dryrun_serving.ceiling import Ceiling

MIN_CHARACTERS = 15
"""NIST SP 800-63B-4, section 3.1.1.2, for passwords as the only factor. No composition rules."""
MAX_CHARACTERS = 256

_PATIENCE_SECONDS = 20.0
"""How long a sign-in waits for earlier ones from the same site."""


class PasswordRefusedError(ValueError):
    """The password is too weak; the text says why."""


def require_strength(password: str, name: str) -> None:
    """Raise PasswordRefusedError for a password that is easily guessed."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise PasswordRefusedError(
            f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; several words make a good one"
        )
    if len(set(password.casefold())) < 5:
        raise PasswordRefusedError("the password repeats very few characters; choose several words")
    if name.casefold() in password.casefold() and len(_without(name, password)) < MIN_CHARACTERS:
        raise PasswordRefusedError(
            f"the password contains the name, and has fewer than {MIN_CHARACTERS} characters beside it; "
            "choose several words"
        )


def _without(name: str, password: str) -> str:
    return password.casefold().replace(name.casefold(), "")


class Passwords:
    """Hashes and verifies with the second recommended parameters of RFC 9106 (64 MiB, 3 passes, 4 lanes)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use `hasher`; tests pass a faster one."""
        self._hasher = hasher or PasswordHasher()
        # A hash takes 64 MiB and all processors: one at a time.
        self._turns = PasswordTurns()
        self._failures = RecentFailures()
        # A thread of its own: other background work delays nobody's sign-in.
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._nobodys: str | None = None
        self._first = asyncio.Lock()
        # One per site at a time: a crowd at one site delays only itself.
        self._one_of_each = Ceiling(sys.maxsize, 1)

    async def hash(self, password: str, who: str = "nobody in particular") -> str:
        """Return the hash to store for `who`, who is authenticated.

        Raises ProblemError: 503 `busy` when too many wait.
        """
        async with self._one_of(f"proven {who}"), self._turns.turn(known=True):
            return await self._work(lambda: self._hasher.hash(_clean(password)))

    async def matches(
        self, stored: str | None, password: str, site: str, *, known: str | None = None
    ) -> bool:
        """Return whether `password` matches the stored hash. Without one, the same work is done for nothing.

        `site` is the client's, by `networks.site_of`. `known` names the browser or person whose own secret
        the client showed, if any; these do not queue behind strangers. Checks of one site, browser or person
        run one after the other. Raises ProblemError: 503 `busy` when too many wait.
        """
        async with self._first:
            if self._nobodys is None:
                self._nobodys = await self.hash("a password that nobody has")
        compared = stored if stored is not None else self._nobodys
        async with self._one_of(site if known is None else f"known {known}"):
            failures = self._failures.of(site) if known is None else 0
            async with self._turns.turn(known=known is not None, failures=failures):
                same = await self._work(lambda: self._verify(compared, _clean(password)))
        right = same and stored is not None
        if not right and known is None:
            self._failures.add(site)
        return right

    @asynccontextmanager
    async def _one_of(self, who: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            try:
                await held.enter_async_context(self._one_of_each.place_within(_PATIENCE_SECONDS, who))
            except TimeoutError:
                raise busy("other sign-ins from your address") from None
            yield

    async def _work[T](self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """End the thread; waiting checks are cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def is_outdated(self, stored: str) -> bool:
        """Return whether the parameters have changed since `stored` was made."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _clean(password: str) -> bytes:
    # A body may hold lone surrogates; they must not become an encoding error.
    return password.encode("utf-8", "surrogatepass")
