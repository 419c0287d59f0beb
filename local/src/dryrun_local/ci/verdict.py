"""Judges an experiment by a baseline and by criteria: what was lost, and what cannot be decided. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from pydantic import JsonValue

from approval_api.experiments.contrast import FALSE_CLAIMS, FactName, Tally, differences
from approval_api.experiments.statistics import fisher_exact
from dryrun_contract.base import Word
from dryrun_contract.baseline import BaselineArm, ScannerImage
from dryrun_contract.experiment_results import Difference
from dryrun_local.ci.counting import ArmCount, tallies_of

type FactJudgement = Literal["lost", "gained", "changed", "unclear", "kept", "missed", "too_few_runs"]
"""`missed`: neither found it ever; `too_few_runs`: even its complete loss could be chance."""


class FactVerdict(Word):
    """One fact beside the baseline."""

    template: str
    kind: str
    key: str
    attribute: str | None
    judgement: FactJudgement
    expected: JsonValue
    found_before: int
    of_before: int
    found: int
    of: int
    values_before: dict[str, int]
    values: dict[str, int]


class CriterionVerdict(Word):
    """One criterion over an arm's runs: met when more than half of them meet it."""

    criterion: str
    met: int
    of: int
    example: str
    """A run that did not meet it, in words; of one that did, where all did."""

    @property
    def passed(self) -> bool:
        """Whether most runs meet it."""
        return 2 * self.met > self.of


class ArmVerdict(Word):
    """One way to scan."""

    arm: str
    runs: int
    runs_before: int
    seconds: float | None
    """Mean duration of scanning."""
    collectors: dict[str, ScannerImage]
    collectors_before: dict[str, ScannerImage]
    facts: tuple[FactVerdict, ...]
    criteria: tuple[CriterionVerdict, ...]

    def judged(self, *judgements: FactJudgement) -> list[FactVerdict]:
        """Return the facts of these judgements."""
        return [fact for fact in self.facts if fact.judgement in judgements]


type State = Literal["passed", "regressed", "not_measured"]


class Verdict(Word):
    """The verdict on a build, with everything that it follows from."""

    format: Literal["dryrun-ci"] = "dryrun-ci"
    version: Literal[1] = 1
    experiment: str
    state: State
    reasons: tuple[str, ...]
    """Why it could not be measured."""
    arms: tuple[ArmVerdict, ...] = ()
    sessions: int = 0
    measured: int = 0

    @property
    def lost(self) -> int:
        """How many facts were lost, over all arms."""
        return sum(len(arm.judged("lost")) for arm in self.arms)

    @property
    def not_met(self) -> int:
        """How many criteria are not met, over all arms."""
        return sum(not criterion.passed for arm in self.arms for criterion in arm.criteria)


def judge(
    name: str,
    baseline: Mapping[str, BaselineArm],
    counted: Mapping[str, ArmCount],
    sessions: int,
    reasons: Collection[str] = (),
) -> Verdict:
    """Return the verdict. `reasons` say why sessions could not be measured; a loss is one all the same."""
    arms = tuple(_arm(arm, baseline[arm], count) for arm, count in counted.items() if arm in baseline)
    verdict = Verdict(
        experiment=name,
        state="passed",
        reasons=tuple(reasons),
        arms=arms,
        sessions=sessions,
        measured=sum(count.runs for count in counted.values()),
    )
    state: State = "passed"
    if reasons or verdict.measured < sessions:
        state = "not_measured"
    if verdict.lost or verdict.not_met:
        state = "regressed"
    return verdict.model_copy(update={"state": state})


def _arm(arm: str, before: BaselineArm, now: ArmCount) -> ArmVerdict:
    return ArmVerdict(
        arm=arm,
        runs=now.runs,
        runs_before=before.runs,
        seconds=sum(now.seconds) / len(now.seconds) if now.seconds else None,
        collectors=dict(sorted(now.collectors.items())),
        collectors_before=before.collectors,
        facts=tuple(_facts(tallies_of(before), now.facts)),
        criteria=tuple(_criterion(name, results) for name, results in now.criteria.items()),
    )


def _facts(before: Mapping[FactName, Tally], now: Mapping[FactName, Tally]) -> list[FactVerdict]:
    differing = {_name_of(each): each.judgement for each in differences(before, now)}
    verdicts = []
    for name in sorted(before.keys() & now.keys()):
        first, second = before[name], now[name]
        judgement: FactJudgement = differing.get(name) or ("kept" if second.found else "missed")
        if judgement in {"kept", "unclear"} and first.found and not can_be_lost(first, second.of):
            judgement = "too_few_runs"
        template, kind, key, attribute = name
        verdicts.append(
            FactVerdict(
                template=template,
                kind=kind,
                key=key,
                attribute=attribute or None,
                judgement=judgement,
                expected=second.expected,
                found_before=first.found,
                of_before=first.of,
                found=second.found,
                of=second.of,
                values_before=dict(first.values.most_common(5)),
                values=dict(second.values.most_common(5)),
            )
        )
    return verdicts


def _name_of(difference: Difference) -> FactName:
    return difference.template, difference.kind, difference.key, difference.attribute or ""


def can_be_lost(before: Tally, runs: int) -> bool:
    """Return whether `runs` without a single find could be no chance, where all else agrees."""
    return fisher_exact(before.found, before.of, 0, runs) <= FALSE_CLAIMS


def runs_needed(before: Tally) -> int | None:
    """Return how many runs it takes to notice that a fact is never found any more; None beyond 1,000.

    >>> runs_needed(Tally(found=4, of=4)), runs_needed(Tally(found=15, of=15)), runs_needed(Tally())
    (3, 2, None)
    """
    return next((runs for runs in range(1, 1001) if before.of and can_be_lost(before, runs)), None)


def _criterion(name: str, results: Sequence[tuple[str, str]]) -> CriterionVerdict:
    met = [detail for status, detail in results if status == "passed"]
    others = [detail for status, detail in results if status != "passed"]
    return CriterionVerdict(criterion=name, met=len(met), of=len(results), example=(others or met)[0])
