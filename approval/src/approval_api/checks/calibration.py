"""How often outcomes lay inside their intervals, over all stored checks. Pure."""

from collections.abc import Iterable

from dryrun_contract.check import Calibration, Check


def calibrate(checks: Iterable[Check]) -> tuple[Calibration, ...]:
    """Return how many outcomes lay inside, by what was predicted; what had no prediction counts nowhere.

    Nor does a run that did not finish: what it missed may be there.
    """
    counts: dict[str, list[int]] = {}
    for check in checks:
        if not check.comparison.complete:
            continue
        judged = [
            *((group.what, group.within) for group in check.comparison.groups),
            *(("quantity", each.within) for each in check.comparison.quantities),
        ]
        for what, within in judged:
            if within is not None:
                count = counts.setdefault(what, [0, 0])
                count[0] += within
                count[1] += 1
    return tuple(
        Calibration.model_validate({"what": what, "within": counts[what][0], "of": counts[what][1]})
        for what in ("kind", "quantity", "place", "product")
        if what in counts
    )
