"""What a client may choose of how a session scans: installed collectors, a profile, a packet rate."""

from typing import Annotated

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_contract.collector_config import Profile

COLLECTOR_NAME = r"^[a-z][a-z0-9-]{0,39}$"
"""Names of installed collectors."""
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

    @property
    def in_words(self) -> str:
        """The choice as people read it; "" when everything is left to the template and the manifests.

        >>> ScanChoice(collectors=("network", "web"), profile="full", max_rate=2500).in_words
        'collectors network, web; profile full; at most 2,500 packets/s from each collector'
        """
        words = []
        if self.collectors:
            words.append(f"collectors {', '.join(self.collectors)}")
        if self.profile is not None:
            words.append(f"profile {self.profile}")
        if self.max_rate is not None:
            words.append(f"at most {self.max_rate:,} packets/s from each collector")
        return "; ".join(words)


NO_CHOICE = ScanChoice()
