"""Has experiments measured, summed up and compared in the process of `worker`, and validates its answers."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from approval_api.computing.worker_process import WorkerProcess
from approval_api.experiments.measure import Measured
from dryrun_contract.experiment_results import ExperimentResults

type WithoutScores = list[tuple[UUID, str]]
"""Sessions, and why they have none."""
_COMPARED: TypeAdapter[ExperimentResults | WithoutScores] = TypeAdapter(ExperimentResults | WithoutScores)
_MEASURED: TypeAdapter[Measured | None] = TypeAdapter(Measured | None)

_SECONDS = 60.0
_ANSWER_BYTES = 8 * 1024 * 1024


class Calculations:
    """One process for all of them, one task at a time.

    Every call raises WorkFailedError, and ProblemError: 503 `busy` when too many wait.
    """

    def __init__(self) -> None:
        self._worker = WorkerProcess(
            "approval_api.experiments.worker",
            "summing up an experiment",
            seconds=_SECONDS,
            waiting=4,
            answer_bytes=_ANSWER_BYTES,
        )

    async def measure(self, report: bytes) -> Measured | None:
        """Return what to keep of a compressed report; None when it has no scores."""
        (answer,) = await self._worker.call(b"measure", report)
        return _MEASURED.validate_json(answer)

    async def sum_up(self, request: str, lines: str) -> ExperimentResults:
        """Return an experiment's results, from its request and a line for each measured run."""
        (answer,) = await self._worker.call(b"sum up", request.encode(), lines.encode())
        return ExperimentResults.model_validate_json(answer)

    async def compare(self, reports: Sequence[bytes]) -> ExperimentResults | WithoutScores:
        """Return two compressed reports as an experiment of two arms, or which of them lack scores."""
        (answer,) = await self._worker.call(b"compare", *reports)
        return _COMPARED.validate_json(answer)

    async def close(self) -> None:
        """End the process."""
        await self._worker.close()
