"""Sums up an experiment's runs: each arm by itself, and each beside the baseline. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter

from approval_api.experiments.contrast import contrast
from approval_api.experiments.measure import FactResult, Measured
from approval_api.experiments.rate_sweep import rate_sweeps
from approval_api.experiments.runs import (
    Row,
    Run,
    by_network,
    counts_of,
    f1,
    mean_of,
    precision,
    recall,
    rows_of,
)
from approval_api.experiments.statistics import interval
from dryrun_contract.event import SideEffect
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.experiment_results import ArmResult, ExperimentResults, Interval, RowResult, Unstable
from dryrun_contract.side_effects import SIDE_EFFECTS

MAX_UNSTABLE = 200


def summarize(request: ExperimentRequest, runs: Sequence[Run]) -> ExperimentResults:
    """Return the results of the runs measured so far; their order does not matter."""
    ordered = sorted(runs, key=attrgetter("arm", "template", "seed", "repetition"))
    by_arm: dict[str, list[Run]] = {arm.name: [] for arm in request.arms()}
    for run in ordered:
        by_arm[run.arm].append(run)
    planned = request.sessions // len(by_arm)
    baseline, *others = by_arm
    unstable = [fact for arm, own in by_arm.items() for fact in _unstable(arm, own)]
    return ExperimentResults(
        arms=tuple(_arm(arm, planned, own) for arm, own in by_arm.items()),
        contrasts=tuple(contrast(baseline, by_arm[baseline], arm, by_arm[arm]) for arm in others),
        unstable=tuple(unstable[:MAX_UNSTABLE]),
        rate_sweeps=rate_sweeps(request, by_arm),
        facts_left_out=sum(run.measured.facts_left_out for run in ordered),
        false_positives_left_out=sum(run.measured.false_positives_left_out for run in ordered),
    )


def beside(baseline: Run, other: Run, alone: Sequence[tuple[Run, Run]] = ()) -> ExperimentResults:
    """Return two sessions as an experiment of two arms, each run once: what differs may always be chance.

    `alone` are the same as each collector for comparison saw them, whose findings no arm counts.
    """
    pairs = ((baseline, other), *alone)
    runs = [run for pair in pairs for run in pair]
    return ExperimentResults(
        arms=tuple(_arm(run.arm, 1, [run]) for run in (baseline, other)),
        contrasts=tuple(contrast(one.arm, [one], two.arm, [two]) for one, two in pairs),
        unstable=(),
        facts_left_out=sum(run.measured.facts_left_out for run in runs),
        false_positives_left_out=sum(run.measured.false_positives_left_out for run in runs),
    )


def _arm(arm: str, planned: int, runs: Sequence[Run]) -> ArmResult:
    networks = by_network(runs)

    def average(value: Callable[[Measured], float | None]) -> Interval:
        return interval([mean_of(network, value) for network in networks])

    return ArmResult(
        arm=arm,
        planned=planned,
        measured=len(runs),
        incomplete=sum(not run.measured.complete for run in runs),
        rows=tuple(_row(row, networks) for row in rows_of(runs)),
        seconds=average(lambda each: each.seconds),
        packets=average(lambda each: each.packets),
        failed_logins=average(lambda each: each.failed_logins),
        harmed=average(lambda each: each.harmed),
        side_effects={
            name: average(_count_of(name))
            for name in SIDE_EFFECTS
            if any(name in run.measured.side_effects for run in runs)
        },
        images={name: image for run in runs for name, image in run.measured.images.items()},
        judged=sum(run.measured.passed is not None for run in runs),
        passed=sum(run.measured.passed is True for run in runs),
    )


def _count_of(name: SideEffect) -> Callable[[Measured], float | None]:
    return lambda each: each.side_effects.get(name)


def _row(row: Row, networks: Sequence[Sequence[Run]]) -> RowResult:
    clusters = [[counts_of(run, row) for run in network] for network in networks]
    recalls = [[recall([counts]) for counts in cluster] for cluster in clusters]
    spreads = [
        max(known) - min(known)
        for cluster in recalls
        if len(known := [each.part / each.whole for each in cluster if each.whole]) > 1
    ]
    return RowResult(
        kind=row[0],
        attribute=row[1],
        recall=interval([recall(cluster) for cluster in clusters]),
        precision=interval([precision(cluster) for cluster in clusters]),
        f1=interval([f1(cluster) for cluster in clusters]),
        spread=max(spreads, default=None),
    )


def _unstable(arm: str, runs: Sequence[Run]) -> Iterator[Unstable]:
    for network in by_network(runs):
        template, seed = network[0].network
        for (kind, key, attribute), fates in sorted(
            _fates(network).items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or "")
        ):
            found = sum(fates)
            if 0 < found < len(fates):
                yield Unstable(
                    arm=arm,
                    template=template,
                    seed=seed,
                    kind=kind,
                    key=key,
                    attribute=attribute,
                    found=found,
                    of=len(fates),
                )


def _fates(network: Sequence[Run]) -> Mapping[tuple[str, str, str | None], list[bool]]:
    facts: list[Mapping[tuple[str, str, str | None], FactResult]] = [
        {(fact.kind, fact.key, fact.attribute): fact for fact in run.measured.facts} for run in network
    ]
    known = {
        name
        for each in facts
        for name, fact in each.items()
        # A value for which there is no truth is no fact.
        if fact.attribute is None or fact.expected is not None
    }
    return {
        name: [name in each and each[name].fate == "found" for each in facts]
        for name in known
        if all(name not in each or each[name].fate != "not_evaluable" for each in facts)
    }
