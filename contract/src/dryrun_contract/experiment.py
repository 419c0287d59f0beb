"""An experiment: the same networks scanned in several ways, several times, and compared."""

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.collector_config import Profile
from dryrun_contract.event import SideEffect
from dryrun_contract.named_criteria import CriteriaName
from dryrun_contract.scan_choice import COLLECTOR_NAME, MAX_CHOSEN_COLLECTORS, MAX_RATE, ScanChoice
from dryrun_contract.session import MAX_SEED
from dryrun_contract.template import TEMPLATE_ID

MAX_RUNS = 300
"""Sessions of one experiment."""
MAX_ARMS = 20
MAX_DIFFERENCES = 500
"""Facts on which arms differ, in one comparison; more are counted."""

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


class Interval(Word):
    """A figure with its 95 % bootstrap interval; None where nothing was measured."""

    value: float | None
    low: float | None
    high: float | None


UNMEASURED = Interval(value=None, low=None, high=None)


class RowResult(Word):
    """One row of the scores (a kind, or an attribute of one) over all runs of an arm, counts added up."""

    kind: str
    attribute: str | None
    recall: Interval
    precision: Interval
    f1: Interval
    spread: float | None
    """Largest difference of recall between repetitions of one template and seed."""


class ArmResult(Word):
    """What one way to scan achieved."""

    arm: str
    planned: int
    measured: int
    """Runs whose session completed and was scored."""
    incomplete: int
    """Of these, how many scans were cut short: what they missed may be there."""
    rows: tuple[RowResult, ...]
    seconds: Interval
    """Duration of scanning."""
    packets: Interval
    """Sent to all targets."""
    failed_logins: Interval
    harmed: Interval
    """Targets that died or turned unhealthy, in a session."""
    side_effects: dict[SideEffect, Interval] = Field(default_factory=dict)
    """How many a session has, of those that targets of its templates can suffer."""
    images: dict[str, str] = Field(default_factory=dict)
    """Collector → the ID of the image that it ran from."""
    judged: int = 0
    """Runs with a verdict."""
    passed: int = 0
    """Of these, how many met the experiment's criteria."""


class Difference(Word):
    """A fact that two arms report differently, over all seeds and repetitions in which it is true."""

    template: str
    kind: str
    key: str
    attribute: str | None = None
    expected: JsonValue = None
    found_by_baseline: int
    of_baseline: int
    found_by_arm: int
    of_arm: int
    baseline_values: dict[str, int] = Field(default_factory=dict)
    """Value as text → in how many runs it was reported, the most frequent ones."""
    arm_values: dict[str, int] = Field(default_factory=dict)
    judgement: Literal["lost", "gained", "changed", "unclear"]
    """`changed`: as true as before, with another value; `unclear`: chance may explain it."""


class FalseDifference(Word):
    """Something that is not true, and that two arms report differently often."""

    template: str
    kind: str
    key: str
    by_baseline: int
    of_baseline: int
    """Runs of which it is known whether they reported it."""
    by_arm: int
    of_arm: int
    is_clear: bool = False
    """Chance does not explain it."""


class RowDifference(Word):
    """The arm's figure minus the baseline's, paired by template and seed."""

    kind: str
    attribute: str | None
    recall: Interval
    precision: Interval
    is_clear: bool
    """Chance does not explain the difference of recall or of precision (`docs/scoring.md`)."""


class Contrast(Word):
    """One arm beside the baseline."""

    arm: str
    baseline: str
    pairs: int
    """Templates and seeds that both have measured."""
    rows: tuple[RowDifference, ...]
    seconds: Interval
    packets: Interval
    differences: tuple[Difference, ...]
    """Facts lost, gained, or reported with another value, the clearest first."""
    left_out: int = 0
    false_positives: tuple[FalseDifference, ...] = ()
    """The clear ones first."""
    false_positives_left_out: int = 0


class Unstable(Word):
    """A fact that repetitions of one arm on the same network do not agree on."""

    arm: str
    template: str
    seed: int
    kind: str
    key: str
    attribute: str | None = None
    found: int
    of: int


class RatePoint(Word):
    """What one way to scan did at one packet rate."""

    rate: int
    arm: str
    runs: int
    recall: Interval
    """Recall of all kinds together, without attributes."""
    seconds: Interval
    harm: Interval
    """Targets that died or turned unhealthy, and side effects, in a session."""
    harmful: int
    """Runs with any harm."""
    lost: int
    """Facts that another rate finds in nearly every run, and this one misses by more than chance."""
    unclear: int
    """Facts that another rate finds in nearly every run, and this one misses perhaps by chance."""
    state: Literal["safe", "harms", "loses", "uncertain"]
    reason: str
    """Why it is not safe, or not known to be; empty when it is."""


class RateSweep(Word):
    """One way to scan at several packet rates, and the highest that is safe."""

    name: str
    points: tuple[RatePoint, ...]
    """The slowest first."""
    verdict: Literal["recommended", "none_safe", "too_few_repetitions"]
    """The last: too little is known, by too few runs or by what they could not measure."""
    recommended: int | None
    """Packets per second."""
    beyond: int | None
    """The next faster rate at which something is lost or harmed; None where none was met."""
    harm_chance_at_most: float | None
    """Upper end of the 95 % interval of the chance that a session at the recommended rate harms something."""
    sentence: str
    """The verdict in words, with its margin."""


class ExperimentResults(Word):
    """Everything measured so far."""

    arms: tuple[ArmResult, ...]
    contrasts: tuple[Contrast, ...]
    unstable: tuple[Unstable, ...]
    rate_sweeps: tuple[RateSweep, ...] = ()
    """One for each choice of collectors and profile, when there are several rates."""
    facts_left_out: int = 0
    """Facts of runs beyond what one run may keep."""
    false_positives_left_out: int = 0
    """The same of what was reported falsely."""

    def row_names(self) -> list[tuple[str, str | None]]:
        """Return kind and attribute of the rows that any arm has, in order."""
        return sorted(
            {(row.kind, row.attribute) for arm in self.arms for row in arm.rows},
            key=lambda name: (name[0], name[1] or ""),
        )

    def clear_rows(self) -> frozenset[tuple[str, str, str | None]]:
        """Return arm, kind and attribute of the rows that clearly differ from the baseline's."""
        return frozenset(
            (contrast.arm, row.kind, row.attribute)
            for contrast in self.contrasts
            for row in contrast.rows
            if row.is_clear
        )

    def with_short_names(self) -> Self:
        """Return a comparison of two sessions, each named by the beginning of its id, and by a collector."""
        arms = tuple(arm.model_copy(update={"arm": _short(arm.arm)}) for arm in self.arms)
        contrasts = tuple(
            each.model_copy(update={"arm": _short(each.arm), "baseline": _short(each.baseline)})
            for each in self.contrasts
        )
        return self.model_copy(update={"arms": arms, "contrasts": contrasts})


def _short(name: str) -> str:
    session, _, collector = name.partition(" ")
    return f"{session[:8]} {collector}".rstrip()


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
