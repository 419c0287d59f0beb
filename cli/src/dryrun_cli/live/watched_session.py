"""A session as the terminal shows it: its history, its distinct discoveries by kind and the latest ones."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from dryrun_contract.discovery import Discovery
from dryrun_contract.event import DiscoveryReported, Event
from dryrun_contract.kinds import counted_kind
from dryrun_contract.session_history import Notice, SessionHistory

LATEST_DISCOVERIES: Final = 8
LATEST_NOTICES: Final = 20


@dataclass
class WatchedSession(SessionHistory):
    """Everything a screen may show. Texts are as reported: hostile until made inert."""

    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=LATEST_NOTICES))
    known: set[tuple[str, str]] = field(default_factory=set)
    """Kind and key of every discovery."""
    counts: Counter[str] = field(default_factory=Counter)
    """Distinct discoveries by kind."""
    latest: deque[Discovery] = field(default_factory=lambda: deque(maxlen=LATEST_DISCOVERIES))
    """Newest last."""

    def read(self, event: Event) -> bool:
        """Apply `event`; a discovery reported twice counts once."""
        if not super().read(event):
            return False
        if isinstance(event.data, DiscoveryReported):
            found = event.data.discovery
            if (found.kind, found.key) not in self.known:
                self.known.add((found.kind, found.key))
                self.counts[counted_kind(found.kind)] += 1
                self.latest.append(found)
        return True
