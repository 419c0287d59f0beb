"""Passwords: Argon2id, a few at a time, and as slow for a name that nobody has."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from approval_api.bulkhead import Bulkhead, busy
from dryrun_serving.ceiling import Ceiling

MIN_CHARACTERS = 15
"""NIST SP 800-63B-4, section 3.1.1.2: where a password is all there is. No rules of composition."""
MAX_CHARACTERS = 256

_AT_ONCE = 1
"""A hash takes 64 MiB, and all processors: the others wait."""
_WAITING = 16
"""A hash takes a tenth of a second: whoever waits last is served within 2 s. More are refused."""
_PATIENCE_SECONDS = 20.0
"""How long a sign-in waits for those before it from the same address."""


class PasswordRefusedError(ValueError):
    """The password will not do; the text says why."""


def require_strength(password: str, name: str) -> None:
    """Raise PasswordRefusedError for what is easily guessed."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise PasswordRefusedError(
            f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; several words make a good one"
        )
    if len(set(password.casefold())) < 5:
        raise PasswordRefusedError("the password repeats very few characters; choose several words")
    if name.casefold() in password.casefold() and len(password) < MIN_CHARACTERS + len(name):
        raise PasswordRefusedError("the password is little more than the name; choose several words")


class Passwords:
    """Hashes and compares with the parameters of RFC 9106's second choice (64 MiB, 3 passes, 4 lanes)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use `hasher`; tests bring a faster one."""
        self._hasher = hasher or PasswordHasher()
        self._bulkhead = Bulkhead("the password check", at_once=_AT_ONCE, waiting=_WAITING)
        # Threads of its own: what else works in the background does not keep anybody from signing in.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._nobodys: str | None = None
        self._first = asyncio.Lock()
        # One of an address at a time: a crowd there waits for itself, and keeps nobody else waiting.
        self._turns = Ceiling(sys.maxsize, 1)

    async def hash(self, password: str) -> str:
        """Return what to store. Raises ProblemError: 503 `busy` when too many wait."""
        return await self._work(lambda: self._hasher.hash(_clean(password)))

    async def matches(self, stored: str | None, password: str, network: str) -> bool:
        """Tell whether `password` is the stored one. Without a stored one the same work is done in vain.

        `network` is who asks, as `networks.network_of` says; its checks are done one after the other. Raises
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
            raise busy("others at the same address") from None
        return same and stored is not None

    async def _work[T](self, work: Callable[[], T]) -> T:
        async with self._bulkhead.entered():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """End the threads; what waits is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def is_outdated(self, stored: str) -> bool:
        """Tell whether the parameters have become stronger since `stored` was made."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _clean(password: str) -> bytes:
    # A body may carry lone surrogates; they must not end as an error of the encoder.
    return password.encode("utf-8", "surrogatepass")
