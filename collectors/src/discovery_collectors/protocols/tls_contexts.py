"""How collectors speak TLS to services that they know nothing of: nothing is verified or trusted."""

import ssl


def unverified_context() -> ssl.SSLContext:
    """Return a client's context that encrypts against those who listen, whoever the server is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def accepting_context() -> ssl.SSLContext:
    """Return a client's context that accepts whatever a service presents, however old its TLS is."""
    context = unverified_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
