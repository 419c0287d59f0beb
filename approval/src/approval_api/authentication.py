"""Who asks: bearer tokens from the settings, compared in constant time."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from approval_api.problems import ProblemError


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Tokens:
    """The known tokens, kept as digests so that their lengths do not show in comparisons."""

    def __init__(self, tokens: Mapping[str, SecretStr]) -> None:
        """Keep `tokens`: name of who asks → token."""
        self._digests = {name: _digest(token.get_secret_value()) for name, token in tokens.items()}

    def name_of(self, token: str) -> str | None:
        """Return whose token this is, or None. Takes equally long whichever it is, or none."""
        shown = _digest(token)
        found = None
        for name, known in self._digests.items():
            if hmac.compare_digest(known, shown):
                found = name
        return found


_bearer = HTTPBearer(auto_error=False, description="A token of APPROVAL_TOKENS.")


def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> str:
    """Return the name of who asks. Raises a 401 problem without a known bearer token."""
    tokens: Tokens = request.app.state.tokens
    actor = tokens.name_of(credentials.credentials) if credentials else None
    if actor is None:
        raise ProblemError(
            "unauthenticated",
            401,
            "show a token: `Authorization: Bearer TOKEN` with one of APPROVAL_TOKENS",
            headers={"WWW-Authenticate": "Bearer"},
        )
    request.scope["actor"] = actor
    return actor


Actor = Annotated[str, Depends(authenticate)]
