"""An experiment: the same networks scanned in several ways, several times, and compared."""

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.collector_config import Profile
from dryrun_contract.experiment_results import ExperimentResults
from dryrun_contract.named_criteria import CriteriaName
from dryrun_contract.scan_choice import COLLECTOR_NAME, MAX_CHOSEN_COLLECTORS, MAX_RATE, ScanChoice
from dryrun_contract.session import MAX_SEED
from dryrun_contract.template import TEMPLATE_ID

MAX_RUNS = 300
"""Sessions of one experiment."""
MAX_ARMS = 20

type _Name = Annotated[str, Field(pattern=COLLECTOR_NAME)]
type _ChoiceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9])?$")]
type _Collectors = Annotated[tuple[_Name, ...], Field(min_length=1, max_length=MAX_CHOSEN_COLLECTORS)]
type _Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
type _Rate = Annotated[int, Field(ge=1, le=MAX_RATE)]


class Arm(Word):
    """One way to scan."""

    name: str
    scan: ScanChoice


class ExperimentRequest(Word):
    """Everything a client may say: names and numbers of what an operator installed.

    Its arms are every combination of `collectors`, `profiles` and `rates`, in this order; each runs
    `repetitions` times on every seed of every template. The first arm is the baseline.
    """

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["nmap or ours"])
    templates: tuple[Annotated[str, Field(pattern=TEMPLATE_ID)], ...] = Field(
        min_length=1, max_length=20, examples=[["small"]]
    )
    seeds: tuple[_Seed, ...] = Field(default=(0,), min_length=1, max_length=100)
    repetitions: int = Field(default=1, ge=1, le=50)
    collectors: dict[_ChoiceName, _Collectors] = Field(
        default_factory=dict, max_length=MAX_ARMS, examples=[{"ours": ["network"], "plain nmap": ["nmap"]}]
    )
    """Name of the choice → installed collectors. Empty: each template's own."""
    profiles: tuple[Profile, ...] = Field(default=(), max_length=2)
    rates: tuple[_Rate, ...] = Field(default=(), max_length=MAX_ARMS)
    """Packets per second."""
    criteria: CriteriaName | None = None
    """Stored criteria that all its sessions are judged by, as they are at the request; None: the default."""

    @model_validator(mode="after")
    def _is_feasible(self) -> Self:
        for what in ("templates", "seeds", "profiles", "rates"):
            values = getattr(self, what)
            if len(set(values)) < len(values):
                raise ValueError(f"{what} names one value twice; use repetitions to run it again")
        arms = len(self.arms())
        if arms > MAX_ARMS:
            raise ValueError(f"collectors, profiles and rates make {arms} arms; {MAX_ARMS} are the most")
        if self.sessions > MAX_RUNS:
            raise ValueError(
                f"{arms} arms, {len(self.templates)} templates, {len(self.seeds)} seeds and "
                f"{self.repetitions} repetitions make {self.sessions} sessions; {MAX_RUNS} are the most"
            )
        return self

    def arms(self) -> tuple[Arm, ...]:
        """Return the ways to scan, the baseline first.

        >>> both = ("quick", "full")
        >>> request = ExperimentRequest(name="x", templates=("small",), profiles=both, rates=(9,))
        >>> [arm.name for arm in request.arms()]
        ['quick 9/s', 'full 9/s']
        """
        choices: Mapping[str, tuple[str, ...]] = self.collectors or {"": ()}
        profiles: tuple[Profile | None, ...] = self.profiles or (None,)
        rates: tuple[int | None, ...] = self.rates or (None,)
        return tuple(
            Arm(
                name=" ".join(filter(None, (name, profile, f"{rate}/s" if rate else None))) or "as installed",
                scan=ScanChoice(collectors=collectors, profile=profile, max_rate=rate),
            )
            for (name, collectors), profile, rate in product(choices.items(), profiles, rates)
        )

    @property
    def sessions(self) -> int:
        """How many sessions it takes."""
        return len(self.arms()) * len(self.templates) * len(self.seeds) * self.repetitions


type RunState = Literal["planned", "waiting", "running", "measured", "failed"]


class ExperimentRun(Word):
    """One session of an experiment."""

    number: int
    arm: str
    template: str
    seed: int
    repetition: int
    state: RunState
    session_id: UUID | None
    reason: str | None
    """Why it could not be measured."""


class ExperimentView(Word):
    """An experiment as clients see it."""

    id: UUID
    request: ExperimentRequest
    requested_by: str
    requested_at: UtcTime
    state: Literal["running", "stopped", "done"]
    runs: int
    measured: int
    failed: int
    seconds_left: float | None
    """Estimated from the runs so far; None before the first has ended, and when nothing is left."""
    services: tuple[float | None, ...] = ()
    """Recall of services by arm, the baseline first; empty before the first has been measured."""


class Experiment(ExperimentView):
    """An experiment with its runs and what they showed so far."""

    results: ExperimentResults | None
    run_list: tuple[ExperimentRun, ...]

    @property
    def is_summed_up(self) -> bool:
        """Return whether `results` have every measured session: they follow within seconds of the last."""
        return self.measured == (sum(arm.measured for arm in self.results.arms) if self.results else 0)
