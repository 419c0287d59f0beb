"""Passwords: Argon2id, one at a time, and equally slow for an unknown name."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from approval_api.web.bulkhead import Bulkhead, busy
from dryrun_serving.ceiling import Ceiling

MIN_CHARACTERS = 15
"""NIST SP 800-63B-4, section 3.1.1.2, for passwords as the only factor. No composition rules."""
MAX_CHARACTERS = 256

_AT_ONCE = 1
"""A hash takes 64 MiB and all processors; the others wait."""
_WAITING = 16
"""A hash takes a tenth of a second, so the last one waits for less than 2 s. More are refused."""
_PATIENCE_SECONDS = 20.0
"""How long a sign-in waits for earlier ones from the same address."""


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
    if name.casefold() in password.casefold() and len(password) < MIN_CHARACTERS + len(name):
        raise PasswordRefusedError("the password is little more than the name; choose several words")


class Passwords:
    """Hashes and verifies with the second recommended parameters of RFC 9106 (64 MiB, 3 passes, 4 lanes)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use `hasher`; tests pass a faster one."""
        self._hasher = hasher or PasswordHasher()
        self._bulkhead = Bulkhead("the password check", at_once=_AT_ONCE, waiting=_WAITING)
        # A pool of its own: other background work delays nobody's sign-in.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._nobodys: str | None = None
        self._first = asyncio.Lock()
        # One per address at a time: a crowd at one address delays only itself.
        self._turns = Ceiling(sys.maxsize, 1)

    async def hash(self, password: str) -> str:
        """Return the hash to store. Raises ProblemError: 503 `busy` when too many wait."""
        return await self._work(lambda: self._hasher.hash(_clean(password)))

    async def matches(self, stored: str | None, password: str, network: str) -> bool:
        """Return whether `password` matches the stored hash. Without one, the same work is done for nothing.

        `network` is the client's, by `networks.network_of`; its checks run one after the other. Raises
        ProblemError: 503 `busy` when too many wait.
        """
        async with self._first:
            if self._nobodys is None:
                self._nobodys = await self.hash("a password that nobody has")
        known = stored if stored is not None else self._nobodys
        try:
            async with self._turns.place_within(_PATIENCE_SECONDS, network):
                same = await self._work(lambda: self._verify(known, _clean(password)))
        except TimeoutError:
            raise busy("other sign-ins from your address") from None
        return same and stored is not None

    async def _work[T](self, work: Callable[[], T]) -> T:
        async with self._bulkhead.entered():
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
