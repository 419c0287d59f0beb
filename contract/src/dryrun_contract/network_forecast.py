"""What rehearsals say about the real network that their template stands for (`docs/forecast.md`)."""

from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_contract.census import LevelName
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice

INTERVAL_SHARE = 0.9
"""The share of outcomes inside a forecast's intervals, if the network is as the inventory says."""
MOST_GROUPS = 300
"""Places that are listed, and products: the most frequent ones."""


class Expected(Word):
    """A figure of a production run, with the interval that nine of ten outcomes lie in."""

    value: float
    low: float
    high: float


class Group(Word):
    """Hosts, services or products of the network, as far as they have something in common.

    `total` = covered + unknown; of the covered, `found` are expected to be found and the others missed.
    """

    name: str
    """`host`, `service` or `product` for all of a kind; else a place (`443/tcp`) or a product."""
    total: int = Field(ge=0)
    """How many the inventory has."""
    covered: int = Field(ge=0)
    """How many of these a stand-in speaks for."""
    unknown: int = Field(ge=0)
    """How many none speaks for; they are never counted as found."""
    found: Expected | None
    """How many of the covered a scan finds; None when nothing is covered."""
    levels: dict[LevelName, int] = Field(default_factory=dict)
    """How near stand-ins come: services by level, `nothing` for what has none."""
    spellings: tuple[str, ...] = Field(default=(), max_length=8)
    """What collectors called the product, where they were right."""

    @property
    def missed(self) -> Expected | None:
        """Of the covered, how many are expected to be missed."""
        if self.found is None:
            return None
        found, all_of_it = self.found, self.covered
        return Expected(value=all_of_it - found.value, low=all_of_it - found.high, high=all_of_it - found.low)

    @property
    def outcome(self) -> tuple[float, float]:
        """Between which counts the outcome is expected: of what no stand-in covers, none or all is found."""
        low, high = (self.found.low, self.found.high) if self.found else (0.0, 0.0)
        return low, high + self.unknown


class InsideGroup(Word):
    """Facts that an inventory does not count, e.g. versions and certificates: on the covered hosts only."""

    kind: str
    attribute: str | None
    covered: float
    """How many the stand-ins have, weighted."""
    found: Expected


type Quantity = Literal[
    "seconds", "packets", "bytes", "answers", "connections", "failed_logins", "log_lines", "harmed"
]


QUANTITIES: dict[Quantity, str] = {
    "seconds": "duration",
    "packets": "packets to hosts",
    "bytes": "bytes to hosts",
    "answers": "packets from hosts",
    "connections": "connections in logs",
    "failed_logins": "failed logins in logs",
    "log_lines": "lines in logs",
    "harmed": "hosts harmed",
}
"""What people call them."""


class QuantityForecast(Word):
    """What a scan of the whole network takes or does; None where nothing was measured."""

    name: Quantity
    expected: Expected | None
    basis: str
    """The measurement that it is computed from."""
    at_least: Annotated[bool, Field(exclude_if=not_)] = False
    """A log was not searched to its end: there may be more than expected, and the interval is open above."""


class NetworkForecast(Word):
    """What the same collectors will find and do on the real network, from one rehearsal or several."""

    network: str
    """The census's digest."""
    hosts: int
    hosts_covered: int
    """Hosts of classes that have a target."""
    targets: int
    """Different ones that were rehearsed on."""
    sessions: int
    kinds: tuple[Group, ...]
    """`host`, `service` and `product`."""
    places: tuple[Group, ...]
    """Services by port, the most frequent first."""
    products: tuple[Group, ...]
    """Products identified, the most frequent first."""
    inside: tuple[InsideGroup, ...]
    quantities: tuple[QuantityForecast, ...]
    assumptions: tuple[str, ...]
    collectors: tuple[str, ...] = ()
    """The collectors that it speaks of."""
    scan: ScanChoice = NO_CHOICE
    """What was chosen of how they scan."""

    @property
    def scanned_by(self) -> str:
        """How the rehearsals scanned; empty where that was not recorded.

        >>> NetworkForecast.model_construct(collectors=("network",), scan=NO_CHOICE).scanned_by
        'network; profile of its manifest'
        """
        if not self.collectors:
            return ""
        profile = "profile of its manifest" if len(self.collectors) == 1 else "profiles of their manifests"
        if self.scan.profile is not None:
            profile = f"profile {self.scan.profile}"
        rate = f"{self.scan.max_rate:,} packets/s at most" if self.scan.max_rate else ""
        return "; ".join(filter(None, (", ".join(self.collectors), profile, rate)))

    def kind(self, name: str) -> Group | None:
        """Return the group of a kind."""
        return next((group for group in self.kinds if group.name == name), None)

    def quantity(self, name: Quantity) -> Expected | None:
        """Return the expectation of a quantity."""
        return next((each.expected for each in self.quantities if each.name == name), None)
