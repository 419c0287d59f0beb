"""Makes forecasts from several sessions, and checks one against a production run."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.checks import repository
from approval_api.checks.calibration import calibrate
from approval_api.computing.worker_process import WorkerProcess, WorkFailedError
from approval_api.database.readable import UnreadableError
from approval_api.identity.person import Person
from approval_api.identity.roles import Permission
from approval_api.reports.service import Reports
from approval_api.web.problems import ProblemError, unknown
from dryrun_contract.check import Check, CheckList, CheckRequest, Comparison
from dryrun_contract.network_forecast import NetworkForecast

_SECONDS = 30.0
_ANSWER_BYTES = 4 * 1024 * 1024
_NEWEST = 100
"""Checks of one list, and of complete runs that the calibration counts."""


class Checks:
    """All forecasts and checks."""

    def __init__(self, engine: AsyncEngine, reports: Reports) -> None:
        """Make forecasts from what `reports` writes."""
        self._engine = engine
        self._reports = reports
        self._worker = WorkerProcess(
            "approval_api.checks.worker",
            "forecasting",
            seconds=_SECONDS,
            waiting=10,
            answer_bytes=_ANSWER_BYTES,
        )

    async def forecast(self, session_ids: Sequence[UUID]) -> tuple[str, NetworkForecast]:
        """Return the first session's template, and what all say of the network that they stand for.

        Raises ProblemError: 404, 422 where they stand for none or for different ones, 503.
        """
        template, seen = await self._observe(session_ids)
        return template, await self.forecast_from(seen)

    async def _observe(self, session_ids: Sequence[UUID]) -> tuple[str, list[bytes]]:
        seen: list[bytes] = []
        template = ""
        for session_id in dict.fromkeys(session_ids):
            session, kept = await self._reports.write(session_id, "json")
            template = template or session.template
            (observation,) = await self._work(b"observe", kept)
            if not observation:
                raise _no_forecast(
                    f"the session {session_id} has no forecast of a real network: its template "
                    f"{session.template} was not made from an inventory, or by an older version, "
                    "or the session has no scores"
                )
            seen.append(observation)
        return template, seen

    async def forecast_from(self, observations: Sequence[bytes]) -> NetworkForecast:
        """Return the forecast from observations as JSON. Raises ProblemError, 422 and 503."""
        made, why = await self._work(b"forecast", *observations)
        if not made:
            raise _no_forecast(why.decode())
        return NetworkForecast.model_validate_json(made)

    async def check(
        self, session_id: UUID, wanted: CheckRequest, actor: str, turn: AbstractAsyncContextManager[None]
    ) -> tuple[Check, bool]:
        """Compare a session's forecast with a production run, and keep it; the same comparison only once.

        Returns the check, and whether it is new. In `turn`, what production holds is counted.

        Raises ProblemError, 422 for a run without a single host too, 409 for one that somebody else checked,
        who stated something else of what it took.
        """
        sessions = [session_id, *wanted.sessions]
        template, seen = await self._observe(sessions)
        outcome = wanted.outcome
        if outcome is None:
            async with turn, self._engine.connect() as connection:
                outcome = await repository.production_outcome(
                    connection, seconds=wanted.seconds, packets=wanted.packets
                )
        if not outcome.hosts and not outcome.places:
            raise _nothing_found(wanted)
        found, why = await self._work(b"check", outcome.model_dump_json().encode(), *seen)
        if not found:
            raise _no_forecast(why.decode())
        check = Check(
            id=uuid4(),
            session_id=session_id,
            template=template,
            checked_by=actor,
            checked_at=datetime.now(UTC),
            source="production" if wanted.outcome is None else "output",
            comparison=Comparison.model_validate_json(found),
        )
        try:
            async with self._engine.begin() as connection:
                kept = await repository.keep(connection, check, sessions)
        except repository.OtherFiguresError as error:
            raise _checked_by_another(error.stored) from error
        return kept, kept.id == check.id

    async def show(self, check_id: UUID) -> Check:
        """Return a check. Raises a 404 problem."""
        async with self._engine.connect() as connection:
            found = await repository.find(connection, check_id)
        if found is None:
            raise _unknown(check_id)
        return found

    async def remove(self, check_id: UUID, person: Person) -> Check | None:
        """Delete a check and return it; None for one that another version stored and this one cannot read.

        Raises ProblemError: 404, 403 for one of somebody else's.
        """
        async with self._engine.connect() as connection:
            checked_by = await repository.checked_by(connection, check_id)
        if checked_by is None:
            raise _unknown(check_id)
        if not may_remove(person, checked_by):
            raise ProblemError(
                "forbidden",
                403,
                f"{checked_by} made this check; they and administrators may remove it",
                title="Not allowed",
            )
        check = None
        with suppress(UnreadableError):
            check = await self.show(check_id)
        async with self._engine.begin() as connection:
            if not await repository.remove(connection, check_id):
                raise _unknown(check_id)
        return check

    async def list(self) -> CheckList:
        """Return the newest checks and how often they were right."""
        async with self._engine.connect() as connection:
            checks = await repository.newest(connection, _NEWEST)
            counted = await repository.newest(connection, _NEWEST, complete=True)
        return CheckList(checks=tuple(checks), calibration=calibrate(counted))

    async def close(self) -> None:
        """End the worker process."""
        await self._worker.close()

    async def _work(self, *task: bytes) -> Sequence[bytes]:
        try:
            return await self._worker.call(*task)
        except WorkFailedError as error:
            raise ProblemError(
                "forecast-failed",
                503,
                f"the forecast could not be made: {error}",
                title="There is no forecast",
            ) from error


def making_in_words(session_id: UUID, check: Check, *, is_new: bool) -> str:
    """Return what the audit log keeps of a check that is made."""
    known = "" if is_new else f", stored before by {check.checked_by}"
    return f"session {session_id}, {check.source}{known}"


def removal_in_words(check: Check | None) -> str:
    """Return what the audit log keeps of a check that is removed."""
    if check is None:
        return "check of another version"
    judged = check.comparison.judged
    run = "" if check.comparison.complete else ", of an incomplete run"
    return f"check of {check.template} by {check.checked_by}: {sum(judged)} of {len(judged)} within{run}"


def may_remove(person: Person, checked_by: str) -> bool:
    """Return whether a person may delete a check: it was theirs, or they administer."""
    return person.may(Permission.RUN) and (person.may(Permission.ADMINISTER) or person.name == checked_by)


def _checked_by_another(stored: Check) -> ProblemError:
    stated = [f"{each.outcome:g} {each.name}" for each in stored.comparison.quantities]
    took = " and ".join(stated) or "neither seconds nor packets"
    return ProblemError(
        "checked-already",
        409,
        f"{stored.checked_by} checked this run already and stated {took} (check {stored.id}); one run counts "
        "once. Leave out what it took, or let them or an administrator remove their check first",
        title="This run is checked already",
    )


def _unknown(check_id: UUID) -> ProblemError:
    return unknown("check", check_id, "/api/v1/dryrun/checks")


def _nothing_found(wanted: CheckRequest) -> ProblemError:
    if wanted.outcome is None:
        detail = (
            "the production discoveries hold no host and no service; "
            "report a run first (dryrun production report), or compare a run's output (--check-against FILE)"
        )
    else:
        detail = "the run found no host and no service: check its targets, and that it reached them"
    return ProblemError("nothing-found", 422, detail, title="Nothing to compare with")


def _no_forecast(why: str) -> ProblemError:
    return ProblemError("no-forecast", 422, why, title="There is no forecast")
