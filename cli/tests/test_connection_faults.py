"""Why there is no connection, whatever the libraries between wrap around it."""

import errno
import socket
import ssl

import pytest

from dryrun_cli.api.connection_faults import why_no_connection

UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
LATER = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 9)")
UNREACHABLE = OSError(errno.EHOSTUNREACH, "Connect call failed ('127.0.0.1', 9)")


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("beginning", "why"),
    [
        (REFUSED, "connection refused"),
        (ExceptionGroup("several addresses", [REFUSED, UNREACHABLE]), "connection refused"),
        (UNREACHABLE, "no route to host"),
        (UNKNOWN, "there is no host of this name"),
        (LATER, "Temporary failure in name resolution"),
        (untrusted(), "its certificate is not trusted: self-signed certificate"),
        (ssl.SSLError(1, "broken"), "TLS: it failed"),
        (EOFError(), "All connection attempts failed"),
    ],
)
def test_the_error_that_began_it_is_told(beginning, why):
    for shown in (OSError("All connection attempts failed"), RuntimeError("All connection attempts failed")):
        shown.__cause__ = beginning
        assert why_no_connection(shown) == why


def test_an_error_without_words_is_called_by_its_type():
    assert why_no_connection(EOFError()) == "EOFError"
