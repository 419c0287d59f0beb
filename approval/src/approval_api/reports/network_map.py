"""Maps the network twice, as it is and as it was reported. Renderers turn the maps into pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from approval_api.scoring.places import canonical
from dryrun_contract.ground_truth import Fact
from dryrun_contract.report import MapHost, MapPlace, NetworkMap, PlaceState
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.scores import Scores

_WORST_FIRST: tuple[PlaceState, ...] = ("missed", "false_positive", "wrong", "not_evaluable", "found")


@dataclass(slots=True)
class _Place:
    state: PlaceState = "found"
    label: str = ""
    hard: bool = False
    inside: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Host:
    state: PlaceState | None = None
    places: dict[tuple[str, int], _Place] = field(default_factory=dict)


def _state_of(host: _Host) -> PlaceState:
    """Return the state of a host that is only known by its services."""
    states = {place.state for place in host.places.values()}
    return "false_positive" if states == {"false_positive"} else "found"


class _Drawing:
    """One of the two maps, while it is built."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def add(
        self, kind: str, key: str, data: Mapping[str, JsonValue], state: PlaceState, *, hard: bool = False
    ) -> None:
        """Add one resource at the place of its key; an invalid key is left out."""
        try:
            parsed = ResourceKey.parse(key)
        except ValueError:
            return
        host = self._hosts.setdefault(parsed.host, _Host())
        if parsed.port is None or parsed.transport is None:
            host.state = state
            return
        place = host.places.setdefault((parsed.transport, parsed.port), _Place())
        whole = kind == "service" and not parsed.path
        # A missed or false resource inside a service makes the service wrong, not missed or false.
        of_service = state if whole or state in ("found", "not_evaluable") else "wrong"
        place.state = min(place.state, of_service, key=_WORST_FIRST.index)
        place.hard = place.hard or hard
        if whole:
            place.label = _label(data)
        else:
            place.inside[kind] = place.inside.get(kind, 0) + 1

    def hosts(self, addresses: Mapping[str, str]) -> tuple[MapHost, ...]:
        """Return all hosts, by name."""
        return tuple(
            MapHost(
                name=name,
                address=addresses.get(name),
                state=host.state or _state_of(host),
                places=tuple(
                    MapPlace(
                        place=f"{port}/{transport}",
                        label=place.label,
                        state=place.state,
                        hard=place.hard,
                        inside=place.inside,
                    )
                    for (transport, port), place in sorted(host.places.items())
                ),
            )
            for name, host in sorted(self._hosts.items())
        )


def draw_network(facts: Iterable[Fact], scores: Scores, addresses: Mapping[str, str]) -> NetworkMap:
    """Return both maps; `addresses` maps addresses to service names."""
    states: dict[tuple[str, str], PlaceState] = {}
    for hidden in scores.not_evaluable:
        states[hidden.kind, hidden.key] = "not_evaluable"
    for missed in scores.false_negatives:
        states[missed.kind, missed.key] = "missed" if missed.attribute is None else "wrong"
    for wrong in scores.wrong_values:
        states[wrong.kind, wrong.key] = "wrong"
    truth, found = _Drawing(), _Drawing()
    for fact in facts:
        state = states.get((fact.kind, canonical(fact.key)), "found")
        truth.add(fact.kind, fact.key, fact.data, state, hard=fact.hard is not None)
    for one in scores.found:
        state = states.get((one.kind, one.key), "found")
        found.add(one.kind, one.key, one.data, state, hard=one.hard is not None)
    for false in scores.false_positives:
        found.add(false.kind, false.key, false.data, "false_positive")
    by_name = {name: address for address, name in addresses.items()}
    return NetworkMap(truth=truth.hosts(by_name), found=found.hosts(by_name))


def _label(data: Mapping[str, JsonValue]) -> str:
    product, version = data.get("product"), data.get("version")
    if isinstance(product, list):
        product = product[0] if product else None
    return " ".join(str(part) for part in (product, version) if isinstance(part, str | int | float))[:200]
