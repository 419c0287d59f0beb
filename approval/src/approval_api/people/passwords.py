"""Passwords: Argon2id, a few at a time, and as slow for a name that nobody has."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_CHARACTERS = 15
"""NIST SP 800-63B-4, section 3.1.1.2: where a password is all there is. No rules of composition."""
MAX_CHARACTERS = 256

_AT_ONCE = 2
"""A hash takes 64 MiB: so many sign-ins at once are computed, the others wait."""


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
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return what to store."""
        async with self._free:
            return await asyncio.to_thread(lambda: self._hasher.hash(_clean(password)))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` is the stored one. Without a stored one the same work is done in vain."""
        if self._nobodys is None:
            self._nobodys = await self.hash("a password that nobody has")
        known = stored if stored is not None else self._nobodys
        async with self._free:
            same = await asyncio.to_thread(self._verify, known, _clean(password))
        return same and stored is not None

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
