"""A check as a page draws it: each prediction a line from its low to its high end, the outcome a dot."""

from dataclasses import dataclass

from dryrun_contract.check import Check, CheckedGroup, CheckedQuantity

WIDTH, _EDGE = 240.0, 8.0
"""Width of a picture, and room for a dot at its ends."""
_MOST_DRAWN = 40
"""Places, and products, of one check."""


@dataclass(frozen=True, slots=True)
class Line:
    """One prediction beside its outcome, in units of the picture."""

    low: float
    value: float | None
    high: float
    open_to: float
    """How far the outcome may lie if everything unknown is found."""
    outcome: float


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One row: hosts, services or products."""

    group: CheckedGroup
    line: Line


@dataclass(frozen=True, slots=True)
class QuantityRow:
    """One row: duration or packets."""

    quantity: CheckedQuantity
    line: Line


@dataclass(frozen=True, slots=True)
class DrawnCheck:
    """Everything that pages show of a check."""

    check: Check
    kinds: tuple[GroupRow, ...]
    quantities: tuple[QuantityRow, ...]
    places: tuple[GroupRow, ...]
    products: tuple[GroupRow, ...]
    within: int
    of: int


def draw(check: Check) -> DrawnCheck:
    """Return the check with its pictures; places and products outside their interval come first."""
    compared = check.comparison
    return DrawnCheck(
        check=check,
        kinds=tuple(map(_group, compared.of("kind"))),
        quantities=tuple(QuantityRow(each, _ratio(each)) for each in compared.quantities),
        places=_worst_first(compared.of("place")),
        products=_worst_first(compared.of("product")),
        within=sum(compared.judged),
        of=len(compared.judged),
    )


def _worst_first(groups: tuple[CheckedGroup, ...]) -> tuple[GroupRow, ...]:
    ordered = sorted(groups, key=lambda group: (group.within is not False, -group.total))
    return tuple(map(_group, ordered[:_MOST_DRAWN]))


def _group(group: CheckedGroup) -> GroupRow:
    low, high = group.bounds
    predicted = group.predicted

    def place(count: float) -> float:
        return _place(count / group.total if group.total else 0.0)

    return GroupRow(
        group,
        Line(
            low=place(low),
            value=None if predicted is None else place(predicted.value),
            high=place(predicted.high if predicted else 0.0),
            open_to=place(high),
            outcome=place(group.outcome),
        ),
    )


def _ratio(quantity: CheckedQuantity) -> Line:
    """Return places to a scale on which the prediction is in the middle and twice as much at the end."""
    predicted = quantity.predicted

    def place(value: float) -> float:
        return _place(value / predicted.value / 2 if predicted.value else 0.0)

    high = place(predicted.high)
    return Line(place(predicted.low), place(predicted.value), high, high, place(quantity.outcome))


def _place(share: float) -> float:
    return round(_EDGE + (WIDTH - 2 * _EDGE) * max(0.0, min(1.0, share)), 1)
