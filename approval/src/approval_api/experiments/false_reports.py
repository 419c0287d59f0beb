"""What two arms report falsely, and how often each. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from approval_api.experiments.runs import Run
from approval_api.experiments.statistics import benjamini_hochberg, fisher_exact
from dryrun_contract.experiment_results import FalseDifference

type _Name = tuple[str, str]
"""Kind and key."""


@dataclass(slots=True)
class _Reported:
    """What the runs of one arm on one template reported falsely."""

    counts: Counter[_Name] = field(default_factory=Counter)
    whole: int = 0
    """Runs whose list is whole: what is not in one of the others may have been reported all the same."""
    cut: Counter[_Name] = field(default_factory=Counter)
    """Of `counts`, those from runs whose list is not whole."""

    def of(self, name: _Name) -> int:
        """Return in how many runs it is known whether `name` was reported."""
        return self.whole + self.cut[name]


def false_differences(
    own: Sequence[Run], others: Sequence[Run], false_claims: float
) -> list[FalseDifference]:
    """Return what is reported falsely differently often, clear ones first, of templates that both scanned."""
    before, after = _reported(own), _reported(others)
    found = [
        FalseDifference(
            template=template,
            kind=kind,
            key=key,
            by_baseline=before[template].counts[kind, key],
            of_baseline=before[template].of((kind, key)),
            by_arm=after[template].counts[kind, key],
            of_arm=after[template].of((kind, key)),
        )
        for template in sorted(before.keys() & after.keys())
        for kind, key in sorted(before[template].counts.keys() | after[template].counts.keys())
    ]
    differing = [each for each in found if each.by_baseline * each.of_arm != each.by_arm * each.of_baseline]
    chances = [
        fisher_exact(each.by_baseline, each.of_baseline, each.by_arm, each.of_arm) for each in differing
    ]
    clear = benjamini_hochberg(chances, false_claims)
    judged = [
        each.model_copy(update={"is_clear": is_clear})
        for each, is_clear in zip(differing, clear, strict=True)
    ]
    return sorted(judged, key=lambda each: not each.is_clear)


def _reported(runs: Sequence[Run]) -> dict[str, _Reported]:
    reported: defaultdict[str, _Reported] = defaultdict(_Reported)
    for run in runs:
        own = reported[run.template]
        names = {(each.kind, each.key) for each in run.measured.false_positives}
        own.counts.update(names)
        if run.measured.false_positives_left_out:
            own.cut.update(names)
        else:
            own.whole += 1
    return dict(reported)
