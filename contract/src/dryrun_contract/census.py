"""What an inventory counts of a real network: the part of it that a template carries, without any name.

A forecast is made from it, and the outcome in production compared with it.
"""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field

from dryrun_contract.base import Word

type LevelName = Literal["same_version", "same_product", "relative", "banner", "nothing"]
"""How near a stand-in comes to a service, from best to worst; `Levels` has the same words."""
_PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
type Place = Annotated[str, Field(pattern=rf"^{_PORT}/(?:tcp|udp)$")]
"""Port and transport, e.g. `443/tcp`."""
type ProductName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[!-~](?:[ -~]*[!-~])?$")]

MAX_LISTED = 600
"""Services of all classes together, and rows of the network; a template's file holds both."""


class ClassService(Word):
    """One service of every host of a class, and how near its stand-in comes."""

    place: Place
    level: LevelName
    product: ProductName | None = None


class CensusClass(Word):
    """Hosts with the same services, and the targets that stand for them."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    hosts: int = Field(ge=1, le=1_000_000)
    """Hosts of the whole network."""
    targets: tuple[str, ...] = Field(min_length=1, max_length=20)
    services: tuple[ClassService, ...] = Field(default=(), max_length=MAX_LISTED)


class ServiceCount(ClassService):
    """Services of one product at one place, in the whole network."""

    count: int = Field(ge=1, le=100_000_000)
    level: LevelName
    """That a stand-in has or would have."""


class Census(Word):
    """The network by classes of hosts, as far as targets stand for them, and by its services."""

    network: str = Field(pattern=r"^n[0-9a-f]{16}$")
    """Equal for templates made from one inventory: their rehearsals speak for one network."""
    classes: tuple[CensusClass, ...] = Field(max_length=20)
    services: tuple[ServiceCount, ...] = Field(default=(), max_length=MAX_LISTED)
    beyond: int = Field(default=0, ge=0, le=100_000_000)
    """Services that are not listed, since there are too many kinds of them."""

    @property
    def total(self) -> int:
        """All services of the network."""
        return self.beyond + sum(each.count for each in self.services)

    @property
    def most_on_a_host(self) -> int:
        """How many services a host has at most. One that no target stands for has at most one at a place."""
        unknown = len({each.place for each in self.outside(self.classes)}) + self.beyond
        return max([unknown, *(len(each.services) for each in self.classes)])

    def outside(self, classes: tuple[CensusClass, ...]) -> list[ServiceCount]:
        """Return the services that are on no host of `classes`."""
        inside: Counter[tuple[str, str, str | None]] = Counter()
        for host_class in classes:
            for service in host_class.services:
                inside[service.place, service.level, service.product] += host_class.hosts
        found = []
        for each in self.services:
            left = each.count - inside[each.place, each.level, each.product]
            if left > 0:
                found.append(each.model_copy(update={"count": left}))
        return found
