"""Secrets that are shown once and kept as digests: cookies, tokens, invitations."""

import base64
import hashlib
import hmac
import secrets

TOKEN_PREFIX = "drt_"  # noqa: S105  # lets scanners for leaked secrets know one by its looks


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return what is stored of `secret`. Its 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def csrf_of(cookie: str) -> str:
    """Return the value that only a page of this login knows; it is bound to the cookie and not stored."""
    mac = hmac.new(cookie.encode("utf-8", "surrogateescape"), b"csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")
