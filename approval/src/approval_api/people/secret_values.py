"""Secrets that are shown once and stored as digests: cookies, tokens, invitations."""

import base64
import hashlib
import hmac
import secrets

TOKEN_PREFIX = "drt_"  # noqa: S105  # lets scanners for leaked secrets recognize one


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return the digest to store. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def csrf_of(cookie: str) -> str:
    """Return the CSRF token of a login; it is derived from the cookie and not stored."""
    mac = hmac.new(cookie.encode("utf-8", "surrogateescape"), b"csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")
