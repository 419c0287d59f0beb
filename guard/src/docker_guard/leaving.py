"""Notices that a client left: it closed its connection, or ended its side of it.

Over TCP the two look alike, and the engine takes both for a client that left.
"""

import asyncio
import select
from typing import Any


class Leaving:
    """The leaving of one client."""

    def __init__(self, connection: Any = None) -> None:
        """Take the client's socket; without one, only what `notice` says counts."""
        self.noticed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done soon after it, unless the client sent more than is read ahead of its requests."""
        self._connection = connection

    def notice(self) -> None:
        """Note that the end of what the client sends was read, or that the connection is lost."""
        if not self.noticed.done():
            self.noticed.set_result(None)

    def has_happened(self) -> bool:
        """Return whether the client left, behind whatever it sent."""
        if self.noticed.done() or self._connection is None:
            return self.noticed.done()
        descriptor = self._connection.fileno()
        if descriptor < 0:
            return True  # TLS closes it a moment before it says so
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP)
        return bool(poll.poll(0))
