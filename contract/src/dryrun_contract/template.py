"""A template as services and people see it."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from dryrun_contract.base import Word
from dryrun_contract.census import Census
from dryrun_contract.ground_truth import GroundTruth
from dryrun_contract.text import counted

TEMPLATE_ID = r"^[a-z][a-z0-9-]{0,39}$"


class TemplateService(Word):
    """One target of the template."""

    name: str
    image: str
    depends_on: tuple[str, ...] = ()


type Count = Annotated[int, Field(ge=0, le=100_000_000)]


class Levels(Word):
    """How near a template comes to the services of the real network that it stands for: each counts once."""

    same_version: Count
    """The same product in the same version runs in the template."""
    same_product: Count
    """The same product in another version."""
    relative: Count
    """Another product of the protocol."""
    banner: Count
    """A banner or an open port, which stand for no software."""
    nothing: Count
    open_ports: Count = 0
    """Those of `banner` on an open port that says nothing."""

    @model_validator(mode="after")
    def _open_ports_are_of_the_level(self) -> Self:
        if self.open_ports > self.banner:
            raise ValueError("open_ports counts some of banner, so it is at most as large")
        return self

    @property
    def services(self) -> int:
        """Services of the real network, at all levels."""
        return self.real + self.relative + self.banner + self.nothing

    @property
    def real(self) -> int:
        """Services that stand on the network's own products, in whatever version."""
        return self.same_version + self.same_product

    @property
    def sentence(self) -> str:
        """How well the network is covered, in a sentence without its full stop.

        >>> Levels(same_version=5, same_product=2, relative=1, banner=3, open_ports=2, nothing=0).sentence
        '7 of 11 services stand on real software, 1 on a relative, 1 on a banner, 2 on an open port'
        >>> Levels(same_version=1, same_product=0, relative=0, banner=0, open_ports=0, nothing=0).sentence
        '1 of 1 service stands on real software'
        """
        if not self.services:
            return "No service is known, so that nothing stands for any"
        stands = "stands" if 1 in {self.real, self.services} else "stand"
        first = f"{self.real:,} of {counted(self.services, 'service')} {stands} on real software"
        return ", ".join([first, *self.others])

    @property
    def others(self) -> tuple[str, ...]:
        """What the services stand on that stand on no real software, e.g. `('1 on a relative',)`."""
        words = (
            (self.relative, "a relative"),
            (self.banner - self.open_ports, "a banner"),
            (self.open_ports, "an open port"),
            (self.nothing, "nothing"),
        )
        return tuple(f"{count:,} on {word}" for count, word in words if count)


class StandsFor(Word):
    """The real network that a template stands for, as an operator's inventory described it."""

    made_from: str = Field(min_length=1, max_length=200)
    """E.g. `a scan by nmap`; never a name of the network."""
    made_on: date
    hosts: int = Field(ge=1, le=1_000_000)
    levels: Levels
    weights: dict[str, Annotated[float, Field(gt=0, le=1_000_000)]] = Field(default_factory=dict)
    """Target → how many hosts of the network it stands for."""
    census: Census | None = None
    """What the inventory counts; None for a template that was made by an older version."""


class TemplateSummary(Word):
    """A template in the list to choose from."""

    id: str = Field(pattern=TEMPLATE_ID)
    title: str
    description: str
    digest: str
    """`sha256:…` over the file and the image facts its ground truth uses; reports name it."""
    services: tuple[TemplateService, ...]
    collectors: tuple[str, ...]
    """Names of the collectors that will run, in order."""
    stands_for: StandsFor | None = None
    """The real network, for a template made from an inventory."""


class Template(TemplateSummary):
    """A template with its ground truth; the orchestrator sends it to the approval API only."""

    ground_truth: GroundTruth
