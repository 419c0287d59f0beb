"""Serves an ASGI application to clients nobody trusts: connections, heads and bodies have bounds."""
