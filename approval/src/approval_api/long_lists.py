"""Long lists are prepared a few at a time: what collectors reported takes far more memory as values."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from approval_api.ceiling import Ceiling
from approval_api.people.person import Person
from approval_api.problems import ProblemError

PLACE_SECONDS = 10.0
"""How long a list waits for its turn."""


def lists_at_once() -> Ceiling:
    """Return how many are prepared at once: 4, and 2 for one person."""
    return Ceiling(4, 2)


@asynccontextmanager
async def prepared_list(request: Request) -> AsyncIterator[None]:
    """Hold a place while a list is read and rendered; enter it before a database connection is taken.

    Raises ProblemError: 503 `too-many-lists` when there is no place in time.
    """
    lists: Ceiling = request.app.state.long_lists
    person: Person = request.scope["admitted"]
    async with AsyncExitStack() as held:
        try:
            await held.enter_async_context(lists.place_within(PLACE_SECONDS, person.name))
        except TimeoutError:
            raise ProblemError(
                "too-many-lists",
                503,
                "too many lists are being prepared; ask for this one again in a moment",
                title="Too many lists at once",
                headers={"Retry-After": "2"},
            ) from None
        yield


async def _turn(request: Request) -> AsyncIterator[None]:
    async with prepared_list(request):
        yield


ListTurn = Annotated[None, Depends(_turn, scope="function")]
"""Dependency of a route: declared after who asks and before the transaction. Ends when the answer is made,
before it is sent."""
