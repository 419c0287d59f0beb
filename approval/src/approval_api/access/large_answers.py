"""Lists and reports are prepared a few at a time, and fewer for one person, so that nobody blocks the others.

Parsed discoveries take far more memory than their text, and a single process writes reports.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, Request

from approval_api.identity.person import Person
from approval_api.web.problems import ProblemError
from dryrun_serving.ceiling import Ceiling

type Kind = Literal["lists", "reports"]

PLACE_SECONDS = 10.0
"""How long an answer waits for its turn."""


def ceilings() -> dict[Kind, Ceiling]:
    """Return how many are prepared at the same time, in all and for one person."""
    # The process that writes reports has room for 20 that wait.
    return {"lists": Ceiling(4, 2), "reports": Ceiling(16, 3)}


@asynccontextmanager
async def prepared(request: Request, kind: Kind) -> AsyncIterator[None]:
    """Hold a place while an answer is read and rendered; enter it before taking a database connection.

    Raises ProblemError: 503 `too-many-lists` or `too-many-reports` when no place becomes free in time.
    """
    ceiling: Ceiling = request.app.state.large_answers[kind]
    person: Person = request.scope["admitted"]
    async with AsyncExitStack() as held:
        try:
            await held.enter_async_context(ceiling.place_within(PLACE_SECONDS, person.name))
        except TimeoutError:
            raise ProblemError(
                f"too-many-{kind}",
                503,
                f"too many {kind} are being prepared; ask for this one again in a moment",
                title=f"Too many {kind} at once",
                headers={"Retry-After": "2"},
            ) from None
        yield


def _turn(kind: Kind) -> Callable[[Request], AsyncIterator[None]]:
    async def turn(request: Request) -> AsyncIterator[None]:
        async with prepared(request, kind):
            yield

    return turn


ListTurn = Annotated[None, Depends(_turn("lists"), scope="function")]
"""Dependency of a route: declared after the permission and before the transaction. Ends when the answer is
made, before it is sent."""
ReportTurn = Annotated[None, Depends(_turn("reports"), scope="function")]
"""The same for a report with criteria or a format of its own; a session's report page is shared by all."""
