"""How near a stand-in comes to the service it stands for: the words of every plan, card and report."""

from enum import StrEnum

from pydantic import Field

from dryrun_contract.base import Word


class Level(StrEnum):
    """From best to worst. The first two run the inventory's own product."""

    SAME_VERSION = "same_version"
    """The same product in the same version."""
    SAME_PRODUCT = "same_product"
    """The same product in another version."""
    RELATIVE = "relative"
    """Another product of the same protocol."""
    BANNER = "banner"
    """A banner only, which names the product and stands for no software."""
    NOTHING = "nothing"
    """No stand-in: what a rehearsal shows says nothing about it."""

    @property
    def is_real_software(self) -> bool:
        """Whether the stand-in runs the inventory's own product, in whatever version."""
        return self in {Level.SAME_VERSION, Level.SAME_PRODUCT}


LEVELS = tuple(Level)
"""All levels from best to worst."""


class Match(Word):
    """What would stand for one service; `recipes` finds it, plans and builders go by it."""

    level: Level
    recipe: str | None = None
    """The recipe's name; None for `banner` and `nothing`."""
    product: str | None = None
    """What runs, as people call it, or what the banner names."""
    version: str | None = None
    """Version of what runs; None where it shows none."""
    why: str = ""
    """What differs, or why nothing stands for it: a few words for people."""
    size_mb: int = Field(default=0, ge=0)
    """What it adds to an image, in 10^6 bytes; 0 where its files are in the shared root already."""
    memory_mib: int = Field(default=0, ge=0)
    """What it needs when idle: all services of a host share 512 MiB."""
    build_seconds: float = Field(default=0, ge=0)
