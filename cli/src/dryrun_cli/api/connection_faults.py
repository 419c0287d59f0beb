"""Says why there is no connection, in the system's words and not in those of the libraries between."""

import os
import socket
import ssl
from collections.abc import Iterator


def why_no_connection(error: BaseException) -> str:
    """Return why a request got no answer; the error that began it says it best.

    >>> why_no_connection(ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9)"))
    'connection refused'
    """
    chain = list(_beginnings(error))
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {each.verify_message}"
        if isinstance(each, ssl.SSLError):
            reason = getattr(each, "reason", None) or "it failed"
            if reason == "WRONG_VERSION_NUMBER":
                return "it does not speak TLS; is its address http://?"
            return f"TLS: {reason.replace('_', ' ').lower()}"
        if isinstance(each, socket.gaierror):
            return "there is no host of this name" if each.errno == socket.EAI_NONAME else str(each.strerror)
    for each in reversed(chain):
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno).lower()
    return next(filter(None, map(str, chain)), type(error).__name__)


def _beginnings(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it; of several addresses that were tried, the first one's."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.exceptions[0] if isinstance(at, BaseExceptionGroup) else at.__cause__ or at.__context__
