"""What a client may choose of how a session scans: installed collectors, a profile, a packet rate."""

from typing import Annotated

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_contract.collector_config import Profile

COLLECTOR_NAME = r"^[a-z][a-z0-9-]{0,39}$"
MAX_CHOSEN_COLLECTORS = 16
MAX_RATE = 1_000_000
"""Packets per second; more than any simulated network carries."""


class ScanChoice(Word):
    """A choice among what an operator installed: names and numbers only. Empty: as the template says."""

    collectors: tuple[Annotated[str, Field(pattern=COLLECTOR_NAME)], ...] = Field(
        default=(), max_length=MAX_CHOSEN_COLLECTORS, examples=[["network", "database"]]
    )
    """Names of installed collector manifests, which run in place of the template's own."""
    profile: Profile | None = None
    """In place of the profile in the manifests of collectors that have one."""
    max_rate: int | None = Field(default=None, ge=1, le=MAX_RATE)
    """Packets per second, at most what each chosen collector's manifest allows."""

    @property
    def is_empty(self) -> bool:
        """Whether everything is left to the template and the manifests."""
        return self == NO_CHOICE


NO_CHOICE = ScanChoice()
