"""Which session an experiment's run number stands for. Pure."""

from dataclasses import dataclass

from dryrun_contract.experiment import Arm, ExperimentRequest
from dryrun_contract.session import SessionRequest


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One session of an experiment."""

    arm: Arm
    template: str
    seed: int
    repetition: int

    def session(self) -> SessionRequest:
        """Return what to start."""
        return SessionRequest(template=self.template, seed=self.seed, scan=self.arm.scan)


def planned_run(request: ExperimentRequest, number: int) -> PlannedRun:
    """Return the run with this number, from 0.

    Arms take turns, then seeds, then templates, then repetitions: a busy hour meets all arms alike, and an
    experiment that is stopped has measured each arm equally often, give or take one.
    """
    arms = request.arms()
    rest, arm = divmod(number, len(arms))
    rest, seed = divmod(rest, len(request.seeds))
    repetition, template = divmod(rest, len(request.templates))
    if not 0 <= repetition < request.repetitions:
        raise ValueError(f"the experiment has no run {number}")
    return PlannedRun(arms[arm], request.templates[template], request.seeds[seed], repetition)
