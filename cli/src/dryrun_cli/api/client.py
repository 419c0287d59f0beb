"""The client of the approval API: every call has a deadline, every failure is one of two errors."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from pydantic import JsonValue, ValidationError

from dryrun_cli import __version__
from dryrun_cli.api.connection_faults import why_no_connection
from dryrun_cli.api.reading import JsonObject, read_list, read_object
from dryrun_cli.api.server_time import server_ahead
from dryrun_cli.api.settings import Settings
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError
from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_contract.discovery import LINE_BOUNDS
from dryrun_contract.problem import Problem

if TYPE_CHECKING:
    from dryrun_contract.experiment import ExperimentRequest
    from dryrun_contract.session import SessionRequest

BASE_PATH: Final = "/api/v1"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
"""Longest time of a whole answer, so that one that arrives byte by byte ends too."""
IDLE_SECONDS: Final = 2.0
"""A connection that was idle for longer is not used again: uvicorn closes one after 5 s, and a request that
is sent at that moment has no answer."""
SILENCE_SECONDS: Final = 45.0
"""An event stream without a byte, not even a heartbeat, for this long counts as dead."""
ANSWER_BOUNDS: Final = JsonBounds(
    size=64 * 1024 * 1024, values=4_000_000, depth=32, key_length=LINE_BOUNDS.key_length
)
"""Those of a report, the longest answer. Not imported: the report's models would take most commands a tenth
of their start."""
DOCUMENT_BYTES: Final = 512 * 1024 * 1024
"""Of the longest file that the API writes: a report in a form for people."""
SESSIONS_A_PAGE: Final = 100
EVENTS_A_PAGE: Final = 1000
_NOT_NAMED: Final = "the approval API requires a token, and none is set"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class ApiClient:
    """The approval API; answers are JSON, which `reading` turns into models of the contract."""

    def __init__(self, http: httpx2.AsyncClient, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._http = http
        self._silence = silence_seconds
        self._ahead = 0.0

    @property
    def url(self) -> str:
        """The API's address, for messages."""
        return str(self._http.base_url).rstrip("/")

    def now(self) -> datetime:
        """Return the server's time, as its last answer said it: what it measures by."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: JsonObject | None = None,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> JsonValue:
        """Return the answer to a request; None for one without content. Never retried.

        What several commands request has a method of its own, below.
        """
        status, content = await self._answer(method, path, body=body, params=params, seconds=seconds)
        if status == httpx2.codes.NO_CONTENT:
            return None
        try:
            return read_json(content, ANSWER_BOUNDS)
        except OutOfBoundsError as error:
            raise ApiUnreachableError(f"the answer of {self.url} to {method} {path} is {error}") from error
        except ValueError as error:
            raise ApiUnreachableError(
                f"{self.url} answered {method} {path} with something that is not JSON; "
                "check that this is the address of the approval API"
            ) from error

    async def fetch(self, path: str, params: Mapping[str, str]) -> bytes:
        """Return a file, as the server wrote it: hostile until inert."""
        _, content = await self._answer("GET", path, body=None, params=params, limit=DOCUMENT_BYTES)
        return content

    async def templates(self) -> list[JsonValue]:
        """Return the templates."""
        return read_list(await self.ask("GET", "/dryrun/templates"), "templates")

    async def start_session(self, request: "SessionRequest") -> JsonValue:
        """Start a session. Never retried: each call that arrives starts one."""
        return await self.ask(
            "POST", "/dryrun/sessions", body=request.model_dump(mode="json", exclude_none=True)
        )

    async def sessions(self) -> AsyncGenerator[JsonValue]:
        """Yield sessions, newest first; a page is fetched when it is needed."""
        params = {"limit": str(SESSIONS_A_PAGE)}
        while True:
            page = await self.ask("GET", "/dryrun/sessions", params=params)
            for session in read_list(page, "sessions"):
                yield session
            cursor = page.get("next") if isinstance(page, dict) else None
            if not cursor or cursor == params.get("cursor"):
                return
            params["cursor"] = str(cursor)

    async def session(self, session_id: UUID) -> JsonValue:
        """Return one session."""
        return await self.ask("GET", f"/dryrun/sessions/{session_id}")

    async def stop_session(self, session_id: UUID) -> JsonValue:
        """Request a session's stop; a second request changes nothing."""
        return await self.ask("POST", f"/dryrun/sessions/{session_id}/stop")

    async def request_experiment(self, request: "ExperimentRequest") -> JsonValue:
        """Store an experiment. Never retried: each call that arrives makes one."""
        return await self.ask("POST", "/dryrun/experiments", body=request.model_dump(mode="json"))

    async def experiments(self, limit: int) -> list[JsonValue]:
        """Return the newest experiments."""
        return read_list(await self.ask("GET", "/dryrun/experiments", params={"limit": limit}), "experiments")

    async def experiment(self, experiment_id: UUID) -> JsonValue:
        """Return one experiment with its runs and results."""
        return await self.ask("GET", f"/dryrun/experiments/{experiment_id}")

    async def stop_experiment(self, experiment_id: UUID) -> JsonValue:
        """Start no more of its sessions; a second request changes nothing."""
        return await self.ask("POST", f"/dryrun/experiments/{experiment_id}/stop")

    async def events(self, session_id: UUID) -> AsyncGenerator[JsonObject]:
        """Yield a session's events so far, oldest first."""
        after = -1
        while True:
            params = {"limit": str(EVENTS_A_PAGE)} | ({"after": str(after)} if after >= 0 else {})
            page = await self.ask("GET", f"/dryrun/sessions/{session_id}/events", params=params)
            for event in read_list(page, "events"):
                yield read_object(event, "event")
            following = page.get("next") if isinstance(page, dict) else None
            if not isinstance(following, int) or following <= after:
                return
            after = following

    async def report(
        self,
        session_id: UUID,
        criteria: JsonObject | None = None,
        question: Mapping[str, str | int] | None = None,
    ) -> JsonValue:
        """Return a session's report; with `criteria` it carries a verdict, by `question` its forecast."""
        method = "GET" if criteria is None else "POST"
        path = f"/dryrun/sessions/{session_id}/report"
        return await self.ask(method, path, body=criteria, params=question)

    async def written_report(
        self,
        session_id: UUID,
        form: str,
        criteria: JsonObject | None = None,
        question: Mapping[str, str | int] | None = None,
    ) -> bytes:
        """Return a session's report in a form for people, as the server wrote it: hostile until inert."""
        method = "GET" if criteria is None else "POST"
        _, content = await self._answer(
            method,
            f"/dryrun/sessions/{session_id}/report",
            body=criteria,
            params={"format": form, **(question or {})},
            limit=DOCUMENT_BYTES,
        )
        return content

    @contextlib.asynccontextmanager
    async def event_stream(self, session_id: UUID, last_event_id: str) -> AsyncIterator[httpx2.EventSource]:
        """Open the session's event stream after `last_event_id` ("" for the whole stream).

        Raises ApiRefusedError for 4xx and ApiUnreachableError for failures that may be temporary.
        """
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        timeout = httpx2.Timeout(CONNECT_SECONDS, read=self._silence)
        path = f"{BASE_PATH}/dryrun/sessions/{session_id}/events"
        with self._translated():
            async with self._http.sse(path, headers=headers, timeout=timeout) as source:
                response = source.response
                if response.status_code != httpx2.codes.OK:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        content = await self._read(response, ANSWER_BOUNDS.size)
                    self._raise_for(response, content)
                yield source

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        body: JsonObject | None,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        seconds: float = ANSWER_SECONDS,
        limit: int | None = None,
    ) -> tuple[int, bytes]:
        """Return the status of a success, and its content: at most `limit` bytes, by default of JSON."""
        timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
        with self._translated():
            async with (
                asyncio.timeout(seconds),
                self._http.stream(
                    method, BASE_PATH + path, json=body, params=params, timeout=timeout
                ) as response,
            ):
                self._ahead = server_ahead(response)
                content = await self._read(response, limit or ANSWER_BOUNDS.size)
        if not response.is_success:
            self._raise_for(response, content)
        return response.status_code, content

    async def _read(self, response: httpx2.Response, limit: int) -> bytes:
        """Return the content. Raises ApiUnreachableError beyond the limit: it is not the API that answers."""
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > limit:
                raise ApiUnreachableError(
                    f"the answer of {self.url} to {response.request.method} {response.request.url.path} is "
                    f"longer than {limit} bytes; check that this is the address of the approval API"
                )
        return bytes(content)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, httpx2.TimeoutException):
            raise ApiUnreachableError(
                f"{self.url} gave no answer in time; check that the approval API works, then try again"
            ) from None
        except httpx2.ConnectError as error:
            raise ApiUnreachableError(
                f"cannot reach the approval API at {self.url} ({why_no_connection(error)}); "
                "check that it runs and that DRYRUN_API_URL (or --api-url) is its address"
            ) from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise ApiUnreachableError(
                f"the connection to {self.url} broke ({why_no_connection(error)}); "
                "check that this is the address of the approval API; if it is, the API has just ended or is "
                "starting: see what took effect, then try again"
            ) from error

    def _raise_for(self, response: httpx2.Response, content: bytes) -> None:
        status = response.status_code
        problem = _read_problem(content)
        # A deployment without dry-run answers 501: a refusal, not a temporary failure.
        refused = httpx2.codes.is_client_error(status) and status != httpx2.codes.REQUEST_TIMEOUT
        if refused or status == httpx2.codes.NOT_IMPLEMENTED:
            if problem is None:
                problem = Problem(title=response.reason_phrase or "Refused", status=status, detail="")
            if status == httpx2.codes.UNAUTHORIZED and "Authorization" not in self._http.headers:
                problem = problem.model_copy(update={"detail": _NOT_NAMED})
            raise ApiRefusedError(problem)
        reason = problem.detail or problem.title if problem else "no details"
        raise ApiUnreachableError(f"the approval API at {self.url} answered {status}: {reason}")


def _read_problem(content: bytes) -> Problem | None:
    try:
        return Problem.model_validate_json(content, extra="ignore")
    except ValidationError:
        return None


@contextlib.asynccontextmanager
async def open_client(settings: Settings) -> AsyncIterator[ApiClient]:
    """Open a client; its connections are closed at the end of the block."""
    headers = {"User-Agent": f"dryrun/{__version__}", "Accept": "application/json"}
    if settings.api_token is not None:
        headers["Authorization"] = f"Bearer {settings.api_token.get_secret_value()}"
    # A proxy of the environment is for other machines; services of this one are not behind it.
    place = urlsplit(settings.api_url)
    proxied = place.hostname not in LOOPBACK
    async with httpx2.AsyncClient(
        base_url=settings.api_url,
        headers=headers,
        timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(
            max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS
        ),
        trust_env=proxied,
        # Without TLS on the way, to the API or to a proxy, no certificates are read: they take 50 ms.
        verify=proxied or place.scheme != "http",
    ) as http:
        yield ApiClient(http)
