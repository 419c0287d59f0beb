"""What an experiment shows: figures of each way to scan, and how the ways differ."""

from typing import Literal, Self

from pydantic import Field, JsonValue

from dryrun_contract.base import Word
from dryrun_contract.event import SideEffect

MAX_DIFFERENCES = 500
"""Facts on which arms differ, in one comparison; more are counted."""


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
    """Runs for which it is known whether they reported it."""
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
