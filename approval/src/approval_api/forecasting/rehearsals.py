"""Several rehearsals of one network, put together: what each class of its hosts showed. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dryrun_contract.census import CensusClass, ServiceCount
from dryrun_contract.observation import Observation, SeenTarget


class UnlikeRehearsalsError(ValueError):
    """Rehearsals of several networks or of several ways to scan; the text says which differ in what."""


@dataclass(frozen=True, slots=True)
class SeenClass:
    """A class of hosts with what was seen of its targets: of each, once for every session."""

    host_class: CensusClass
    targets: tuple[tuple[SeenTarget, ...], ...]

    def mean(self, value: Callable[[SeenTarget], float | None]) -> tuple[float, int] | None:
        """Return the mean over sessions, summed over targets, and the number of targets; None without any."""
        means = []
        for sessions in self.targets:
            known = [each for seen in sessions if (each := value(seen)) is not None]
            if known:
                means.append(sum(known) / len(known))
        return (sum(means), len(means)) if means else None


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """Everything that a forecast is computed from."""

    observations: tuple[Observation, ...]
    classes: tuple[SeenClass, ...]
    outside: tuple[ServiceCount, ...]
    """Services on hosts of other classes, which no target stands for."""
    beyond: int
    """Services that the census counts without listing them."""
    hosts: int

    @property
    def network(self) -> str:
        """Digest of the census, the same in all rehearsals."""
        return self.observations[0].census.network

    @property
    def services(self) -> int:
        """Services of the whole network."""
        return self.observations[0].census.total

    @property
    def hosts_covered(self) -> int:
        """Hosts of classes that have a target."""
        return min(self.hosts, sum(each.host_class.hosts for each in self.classes))

    @property
    def targets(self) -> int:
        """How many different targets there were."""
        return sum(len(each.targets) for each in self.classes)


def put_together(observations: Sequence[Observation]) -> Rehearsals:
    """Return the rehearsals of one network by its classes. Raises UnlikeRehearsalsError.

    They may be of several templates (parts of the network, or samples of it) and of several sessions each.
    """
    if not observations:
        raise UnlikeRehearsalsError("there is no rehearsal to forecast from")
    first = observations[0]
    for each in observations[1:]:
        if each.census.network != first.census.network:
            raise UnlikeRehearsalsError(
                f"{first.template} and {each.template} stand for different networks, or for one as two "
                "inventories describe it; forecast from rehearsals of one"
            )
        if (each.scan, each.collectors) != (first.scan, first.collectors):
            raise UnlikeRehearsalsError(
                "the rehearsals scanned in different ways: "
                f"{_scan(first)}, and {_scan(each)}; forecast from those of one way"
            )
    classes: dict[str, CensusClass] = {}
    seen: dict[str, dict[str, list[SeenTarget]]] = {}
    for observation in observations:
        for host_class in observation.census.classes:
            classes.setdefault(host_class.name, host_class)
            own = seen.setdefault(host_class.name, {})
            for target in host_class.targets:
                if target in observation.targets:
                    own.setdefault(target, []).append(observation.targets[target])
    census = first.census
    return Rehearsals(
        observations=tuple(observations),
        classes=tuple(
            SeenClass(host_class, tuple(map(tuple, seen[name].values())))
            for name, host_class in classes.items()
        ),
        outside=tuple(census.outside(tuple(classes.values()))),
        beyond=census.beyond,
        hosts=first.hosts,
    )


def _scan(observation: Observation) -> str:
    scan = observation.scan
    words = [", ".join(observation.collectors), scan.profile, scan.max_rate and f"{scan.max_rate}/s"]
    return " ".join(str(word) for word in words if word)
