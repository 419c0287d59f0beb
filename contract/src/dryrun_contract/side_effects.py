"""What a scan did to its targets beyond their death, added up over a session."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from dryrun_contract.event import SideEffect, TargetLogs

if TYPE_CHECKING:
    from dryrun_contract.report import Report

SIDE_EFFECTS: tuple[SideEffect, ...] = get_args(SideEffect.__value__)
"""All of them, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class SideEffectTotal:
    """One side effect over all targets that can suffer it."""

    name: SideEffect
    count: int | None
    """None: the log of no such target was searched."""
    at_least: bool
    """Part of a log was not searched, so there may be more."""
    targets: int
    """How many can suffer it."""

    @property
    def none(self) -> bool:
        """Whether it is certain that nothing happened."""
        return self.count == 0 and not self.at_least


def side_effect_totals(logs: Mapping[str, TargetLogs] | None) -> tuple[SideEffectTotal, ...]:
    """Return the totals of every side effect that a target of the session can suffer.

    >>> printer = TargetLogs(counts={}, side_effects={"pages_printed": 2}, lines=3)
    >>> side_effect_totals({"printer": printer})
    (SideEffectTotal(name='pages_printed', count=2, at_least=False, targets=1),)
    """
    totals = []
    for name in SIDE_EFFECTS:
        able = [each for each in (logs or {}).values() if name in each.side_effects]
        counts = [each.side_effects[name] for each in able]
        known = [count for count in counts if count is not None]
        if able:
            totals.append(
                SideEffectTotal(
                    name,
                    sum(known) if known else None,
                    len(known) < len(able) or any(each.is_partial for each in able),
                    len(able),
                )
            )
    return tuple(totals)


def possible_harm(report: "Report") -> Iterator[str]:
    """Yield what the targets suffered or may have suffered, a phrase each; none when it was nothing."""
    if report.harmed:
        yield f"targets were harmed: {', '.join(report.harmed_targets())}"
    if report.logs is None:
        yield "what it did to the targets beyond their death was not measured"
    for total in side_effect_totals(report.logs):
        name = total.name.replace("_", " ")
        if total.count:
            yield f"{name}: {total.count:,}"
        elif not total.none:
            yield f"{name}: not known, a log was not searched to its end"
