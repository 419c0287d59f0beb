"""The error that ends a session."""


class SessionFailedError(Exception):
    """The session cannot continue; the message says what failed, which one and what to do next."""
