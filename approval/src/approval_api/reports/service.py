"""Computes each state's report once, keeps it and writes it; no connection is held meanwhile."""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.computing.worker_process import WorkerProcess, WorkFailedError
from approval_api.database.rounds import apart, work_in_rounds
from approval_api.reports import repository
from approval_api.reports.criteria import Criteria, own_criteria
from approval_api.reports.figures import Figures
from approval_api.reports.forecast import ForecastQuestion
from approval_api.reports.repository import EventsRemovedError, SessionState
from approval_api.reports.worker import Writing
from approval_api.sessions.service import unknown_session
from approval_api.sessions.stored import StoredSession
from approval_api.telemetry.metrics import Metrics
from approval_api.web.problems import ProblemError
from dryrun_contract.problem import Fault
from dryrun_contract.session import SessionView
from dryrun_contract.text import counted

logger = logging.getLogger(__name__)

type Form = Literal["json", "markdown", "html", "csv", "jira", "servicenow", "fragment"]
type Judge = Criteria | Literal["own"] | None
"""What a report is judged by: a client's criteria, the session's own, or none."""

_MODULE = "approval_api.reports.worker"
_TICKETS = frozenset({"jira", "servicenow"})
_MIB = 1024 * 1024
COMPUTE_SECONDS = 60.0
WRITE_SECONDS = 20.0
MAX_REPORT_BYTES = 16 * _MIB
"""Largest kept report, and largest document; both compressed."""
MAX_FRAGMENT_BYTES = 8 * _MIB
"""Largest report inside a page."""
SCORED_AHEAD = 40
"""This many of the newest sessions are scored in the background."""
SCORED_AGAIN = 1_000
"""Newest reports that are examined after a start: an earlier version may have counted differently."""


class Reports:
    """The reports of all sessions. Concurrent requests for the same report share one computation."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics, public_url: str = "") -> None:
        """Read from `engine`; the worker processes start with the first report.

        Links of tickets begin with `public_url`.
        """
        self._engine = engine
        self._public_url = public_url
        self._metrics = metrics
        self._scoring = WorkerProcess(
            _MODULE, "scoring", seconds=COMPUTE_SECONDS, waiting=20, answer_bytes=MAX_REPORT_BYTES
        )
        self._writing = WorkerProcess(
            _MODULE, "writing reports", seconds=WRITE_SECONDS, waiting=20, answer_bytes=MAX_REPORT_BYTES
        )
        self._under_way: dict[tuple[object, ...], asyncio.Task[bytes]] = {}
        self._older: list[UUID] | None = None
        """Sessions that an earlier version may have scored and that are still to be looked at; None: all."""

    async def write(
        self,
        session_id: UUID,
        form: Form,
        criteria: Judge = None,
        question: ForecastQuestion | None = None,
    ) -> tuple[SessionView, bytes]:
        """Return the session and its report in a form, compressed by zlib.

        Raises ProblemError: 404, 422 for a `question` about a session whose template stands for a network,
        503 `busy`, and 503 `report-failed` with the reason.
        """
        session, (document,) = await self.write_each(session_id, (form,), criteria, question)
        return session, document

    async def write_each(
        self,
        session_id: UUID,
        forms: tuple[Form, ...],
        criteria: Judge = None,
        question: ForecastQuestion | None = None,
    ) -> tuple[SessionView, list[bytes]]:
        """Return the session and one report of it in several forms. Raises ProblemError as `write` does."""
        state, kept = await self._current(session_id)
        if question is not None:
            _require_no_other_forecast(state.stored)
        hows = [
            _writing(state.stored, form, criteria, question).model_copy(
                update={"base_url": self._public_url if form in _TICKETS else ""}
            )
            for form in forms
        ]
        return state.stored.view, [await self._written(state, kept, how) for how in hows]

    async def _written(self, state: SessionState, kept: bytes, how: Writing) -> bytes:
        if how == Writing(form="json"):
            return kept
        words = how.model_dump_json().encode()

        async def written() -> bytes:
            (document,) = await self._writing.call(b"write", words, kept)
            return document

        try:
            return await self._once((state.stored.view.id, state.digest, words), written)
        except WorkFailedError as error:
            raise _failed(str(error)) from error

    async def fragment(self, session_id: UUID) -> tuple[SessionView, str]:
        """Return the session and its report, judged by its own criteria, as part of a page.

        Raises ProblemError as `write` does.
        """
        session, document = await self.write(session_id, "fragment", "own")
        reader = zlib.decompressobj()
        html = reader.decompress(document, MAX_FRAGMENT_BYTES)
        if reader.unconsumed_tail:
            raise _failed("it is too large for a page; its CSV and JSON have all of it")
        return session, html.decode()

    async def _current(self, session_id: UUID) -> tuple[SessionState, bytes]:
        """Return the session's state and the report of that state, compressed."""
        async with self._engine.connect() as connection:
            state = await repository.find_state(connection, session_id)
            if state is None:
                raise unknown_session(session_id)
            unread = state.stored.view.unread
            if unread is not None:
                # One without it would say that the session scanned in another way.
                raise _failed(f"{unread}; ask the version that stored it, or start the session again")
            kept = await repository.find(connection, session_id)
        if kept is not None and kept.state == state.digest:
            if kept.report is None:
                raise _failed(kept.failure or "")
            return state, kept.report
        try:
            return state, await self._once((session_id, state.digest), lambda: self._compute(state))
        except WorkFailedError as error:
            raise _failed(str(error)) from error
        except EventsRemovedError:
            return await self._current(session_id)

    async def _compute(self, state: SessionState) -> bytes:
        async with self._engine.connect() as connection:
            inputs = await repository.read_inputs(connection, state)
        try:
            figures, report = await self._scoring.call(b"compute", *inputs.task())
        except WorkFailedError as error:
            async with self._engine.begin() as connection:
                await repository.keep(connection, state, failure=str(error))
            raise
        read = Figures.model_validate_json(figures)
        async with self._engine.begin() as connection:
            origin = await repository.keep(connection, state, figures=read, report=report)
        if origin is not None and read.passed is not None:
            self._metrics.judged.labels("passed" if read.passed else "failed", origin).inc()
        return report

    async def _once(self, key: tuple[object, ...], work: Callable[[], Awaitable[bytes]]) -> bytes:
        """Do `work`, or wait for the task that does it. It continues when the first client hangs up."""
        task = self._under_way.get(key)
        if task is None:

            async def run() -> bytes:
                return await work()

            task = asyncio.create_task(run(), name="report")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def _over(self, key: tuple[object, ...], task: asyncio.Task[bytes]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            # Waiting clients get it raised; when all have hung up, it was logged when it happened.
            task.exception()

    async def run(self) -> None:
        """Score ended sessions, one after the other, until cancelled; wait for an unreachable database."""
        await work_in_rounds(self.work_once, "reports")

    async def work_once(self) -> None:
        """Score the sessions that have ended since, and one older one that an earlier version scored."""
        async with self._engine.connect() as connection:
            ended = await repository.unscored(connection, await repository.newest(connection, SCORED_AHEAD))
            if self._older is None:
                self._older = (await repository.newest(connection, SCORED_AGAIN))[SCORED_AHEAD:]
            looked_at = self._older[:SCORED_AHEAD]
            older = await repository.unscored(connection, looked_at) if looked_at else []
        for session_id in (*ended, *older[:1]):
            await apart(self._score_ahead(session_id), "a report", session=str(session_id))
        done = looked_at.index(older[0]) + 1 if older else len(looked_at)
        self._older = self._older[done:]

    def are_of_this_version(self) -> bool:
        """Return whether what an earlier version scored has been scored anew, so that verdicts compare."""
        return self._older == []

    async def _score_ahead(self, session_id: UUID) -> None:
        try:
            await self._current(session_id)
        except ProblemError as error:
            if error.problem.type.endswith(":busy"):
                # It is tried again every second, which is not worth a line each time.
                raise
            logger.warning(
                "a session could not be scored: %s",
                error.problem.detail,
                extra={"session": str(session_id), "reason": error.problem.detail},
            )

    async def close(self) -> None:
        """End running computations, and the worker processes."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._scoring.close(), self._writing.close())


def _require_no_other_forecast(stored: StoredSession) -> None:
    """Raise a 422 problem if reports forecast a real network: two forecasts would contradict each other."""
    known = stored.template.stands_for if stored.template else None
    if known is None or known.census is None:
        return
    hosts = counted(known.hosts, "host")
    raise ProblemError(
        "invalid-request",
        422,
        f"the template {stored.view.template} stands for a network of {hosts}, which its reports forecast; "
        "ask without a number of hosts and a network (--forecast-hosts, --forecast-cidr). For another "
        "network, import its inventory, or rehearse on a template that stands for none",
        title="This report forecasts another network",
        faults=(Fault(where="query.forecast_hosts", what="the template stands for a network already"),),
    )


def _writing(stored: StoredSession, form: Form, judge: Judge, question: ForecastQuestion | None) -> Writing:
    if judge != "own":
        return Writing(form=form, criteria=judge, question=question)
    own = own_criteria(stored)
    name = None if own is None else stored.view.criteria
    return Writing(form=form, criteria=own, criteria_name=name, question=question)


def _failed(reason: str) -> ProblemError:
    return ProblemError(
        "report-failed",
        503,
        f"the report of this session could not be computed: {reason}. Its discoveries and events are kept",
        title="There is no report",
    )
