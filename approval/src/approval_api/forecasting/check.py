"""Puts a forecast beside the production run that it was about. Pure.

Nobody knows what is really there. So found means: reported by production, as far as the inventory has it. A
port counts at its place, up to as many as the inventory has there; what is beyond is listed as not in the
inventory and makes no forecast right or wrong.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, inf

from dryrun_contract.check import CheckedGroup, CheckedQuantity, Comparison, GroupKind
from dryrun_contract.network_forecast import MOST_GROUPS, Group, NetworkForecast
from dryrun_contract.production_counts import ProductionCounts

_MOST_REASONS = 5
_MOST_BEYOND = 50
_ROUNDING = 1e-6


def compare(known: NetworkForecast, outcome: ProductionCounts, most_on_a_host: int) -> Comparison:
    """Return prediction beside outcome: by kind, by place, by product, and what the run took.

    `known` has every place and product of the census: one that it lacks would count as not in the inventory.
    `most_on_a_host` is how many services a host of the inventory has at most.
    """
    counted = _by_product(known.products, outcome.products)
    hosts = outcome.hosts_left_out
    # Of one that was seen in part the host is found, and each of its services may be left out.
    with_services = hosts + outcome.hosts_seen_in_part
    on_hosts = with_services * most_on_a_host
    looked_at = max(0.0, 1 - with_services / known.hosts)
    places = [
        _checked(
            "place",
            group,
            outcome.places.get(group.name, 0),
            left_out=inf if outcome.others and group.name not in outcome.places else with_services,
        )
        for group in known.places
    ]
    # Each product may be among those left out, by another of its spellings.
    products = [
        _checked("product", group, counted[group.name], left_out=inf if outcome.other_products else on_hosts)
        for group in known.products
    ]
    totals = {
        "host": (outcome.hosts, hosts),
        "service": (sum(each.outcome for each in places), inf if outcome.others else on_hosts),
        "product": (sum(each.outcome for each in products), inf if outcome.other_products else on_hosts),
    }
    listed = {group.name: group for group in known.kinds}
    kinds = [
        _checked("kind", group, totals[name][0], left_out=totals[name][1])
        for name, group in listed.items()
        if name in totals
    ]
    quantities = [
        *_quantity(known, "seconds", outcome.seconds, looked_at),
        *_quantity(known, "packets", outcome.packets, looked_at),
    ]
    reasons = {"service": places, "product": products}
    return Comparison(
        network=known.network,
        hosts=known.hosts,
        sessions=known.sessions,
        complete=outcome.complete,
        places_left_out=outcome.others,
        products_left_out=outcome.other_products,
        hosts_left_out=hosts,
        hosts_seen_in_part=outcome.hosts_seen_in_part,
        groups=(*kinds, *places[:MOST_GROUPS], *products[:MOST_GROUPS]),
        quantities=tuple(quantities),
        explained_by={
            each.name: tuple(_reasons(reasons[each.name]))
            for each in kinds
            if each.within is False and each.name in reasons
        },
        not_in_inventory=_beyond(known.places, outcome.places),
    )


def _checked(what: GroupKind, group: Group, found: int, *, left_out: float) -> CheckedGroup:
    """Put a group's forecast beside its count, beyond which the outcome may have left out so many."""
    counted = min(found, group.total)
    most = min(counted + left_out, group.total)
    low, high = group.outcome
    # An interval's end may lie between two counts.
    least_expected, most_expected = floor(low + _ROUNDING), ceil(high - _ROUNDING)
    inside: bool | None = None
    if counted > most_expected or most < least_expected:
        inside = False
    elif least_expected <= counted and most <= most_expected:
        inside = True
    return CheckedGroup(
        what=what,
        name=group.name,
        total=group.total,
        predicted=group.found,
        unknown=group.unknown,
        outcome=counted,
        beyond=found - counted,
        within=None if group.found is None else inside,
    )


def _quantity(
    known: NetworkForecast, name: str, value: float | None, looked_at: float
) -> Iterable[CheckedQuantity]:
    """Yield what the run took beside its forecast; a run of part of the hosts may take that part of it.

    What would be inside only of the one or only of the other decides nothing.
    """
    for each in known.quantities:
        if each.name == name and each.expected is not None and value is not None:
            low, high = each.expected.low, each.expected.high
            inside: bool | None = None
            if not low * looked_at <= value <= high:
                inside = False
            elif low <= value <= high * looked_at:
                inside = True
            yield CheckedQuantity(
                name=each.name,
                predicted=each.expected,
                outcome=value,
                within=inside,
            )


def _by_product(groups: Sequence[Group], reported: Mapping[str, int]) -> Counter[str]:
    """Return how many services were reported as each product of the inventory."""
    spellings = {
        spelling.casefold(): group.name for group in reversed(groups) for spelling in group.spellings
    }
    # One recipe may stand for two products, each of which is a spelling of the other.
    names = spellings | {group.name.casefold(): group.name for group in reversed(groups)}
    exact = {group.name for group in groups}
    counted: Counter[str] = Counter()
    for said, count in reported.items():
        name = said if said in exact else names.get(said.casefold())
        if name is not None:
            counted[name] += count
    return counted


def _reasons(groups: Iterable[CheckedGroup]) -> list[str]:
    """Return the groups that differ most from what was expected, the worst first."""

    def difference(group: CheckedGroup) -> float:
        least, most = _expected(group)
        return min(0.0, group.outcome - least) or max(0.0, group.outcome - most)

    differing = sorted(
        ((difference(group), group) for group in groups), key=lambda item: (-abs(item[0]), item[1].name)
    )
    return [
        f"{group.name}: {_in_words(*_expected(group))} expected, {group.outcome} found"
        for by, group in differing[:_MOST_REASONS]
        if abs(by) >= 0.5
    ]


def _expected(group: CheckedGroup) -> tuple[float, float]:
    """Return how many were expected; of the unknown none or all may be found."""
    value = group.predicted.value if group.predicted else 0.0
    return value, value + group.unknown


def _in_words(least: float, most: float) -> str:
    return f"{least:.0f}" if round(least) == round(most) else f"{least:.0f} to {most:.0f}"


def _beyond(groups: Sequence[Group], found: Mapping[str, int]) -> dict[str, int]:
    there = {group.name: group.total for group in groups}
    more = Counter({place: count - there.get(place, 0) for place, count in found.items()})
    return {place: count for place, count in more.most_common(_MOST_BEYOND) if count > 0}
