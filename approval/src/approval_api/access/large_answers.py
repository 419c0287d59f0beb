"""Large answers are prepared a few at a time, and fewer for one person, so that nobody blocks the others.

Parsed discoveries take far more memory than their text, and a single process writes reports.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Literal, override

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from approval_api.access.turns import give_turn_back
from approval_api.identity.person import Person
from approval_api.web.compressed import CHUNK_BYTES, unpacked
from approval_api.web.problems import ProblemError
from dryrun_serving.ceiling import Ceiling

type Kind = Literal["lists", "reports", "checks", "forecasts"]

_MIB = 1024 * 1024

PLACE_SECONDS = 10.0
"""How long an answer waits for its turn."""


def bytes_on_their_way() -> Ceiling:
    """Return how many bytes of reports wait for their readers at once, in all and for one person."""
    return Ceiling(64 * _MIB, 24 * _MIB)


def ceilings() -> dict[Kind, Ceiling]:
    """Return how many are prepared at the same time, in all and for one person."""
    # The process that writes reports has room for 20 that wait.
    # A check reads all that production holds, and has a connection to the database all the while.
    # The process that makes forecasts has room for 10 that wait.
    return {
        "lists": Ceiling(4, 2),
        "reports": Ceiling(16, 3),
        "checks": Ceiling(2, 1),
        "forecasts": Ceiling(8, 3),
    }


@asynccontextmanager
async def prepared(request: Request, kind: Kind) -> AsyncIterator[None]:
    """Hold a place while an answer is read and rendered; enter it before taking a database connection.

    Raises ProblemError: 503 `too-many-lists`, or of another kind, when no place becomes free in time.
    """
    ceiling: Ceiling = request.app.state.large_answers[kind]
    person: Person = request.scope["admitted"]
    give_turn_back(request)
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
ForecastTurn = Annotated[None, Depends(_turn("forecasts"), scope="function")]
"""The same for a forecast, alone or for a check: one may be made of many sessions, one after the other."""


class SentDocument(StreamingResponse):
    """A document that its reader may take time for: held compressed, and counted until it is sent."""

    def __init__(
        self,
        request: Request,
        document: bytes,
        media_type: str,
        headers: dict[str, str] | None = None,
        *,
        as_it_is: bool = False,
    ) -> None:
        """Send `document`, compressed by zlib unless it is sent `as_it_is`, when there is room for it."""
        body = _pieces(document) if as_it_is else unpacked(document)
        super().__init__(body, media_type=media_type, headers=headers)
        self._request = request
        self._size = len(document)

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send. Raises ProblemError before the first byte: 429 or 503 `too-many-documents`."""
        ceiling: Ceiling = self._request.app.state.bytes_on_their_way
        person: Person = self._request.scope["admitted"]
        full = ceiling.full(person.name, self._size)
        if full is not None:
            raise ProblemError(
                "too-many-documents",
                429 if full == "of one" else 503,
                "your other downloads have to end first"
                if full == "of one"
                else "too many documents are being read by others; ask for this one again in a moment",
                title="Too many documents at once",
                headers={"Retry-After": "10"},
            )
        with ceiling.place(person.name, self._size):
            await super().__call__(scope, receive, send)


def _pieces(document: bytes) -> Iterator[bytes]:
    for start in range(0, len(document), CHUNK_BYTES):
        yield document[start : start + CHUNK_BYTES]
