"""What the steps of one session share."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.fleet.placement import Placement
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.container_specs import session_labels
from dryrun_orchestrator.session.deadline import Deadline
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.isolation import NO_TARGETS, Targets, Verdict
from dryrun_orchestrator.session.log_lines import CollectorSpan
from dryrun_orchestrator.session.preflight import Preflight
from dryrun_orchestrator.session.trace import Trace
from dryrun_orchestrator.settings import Settings
from dryrun_serving.tracing import Record


class IsolationProof(Protocol):
    """How a session's network is proved: a bridge, or an overlay across hosts."""

    @property
    def lost(self) -> Verdict | None:
        """Return why no session may continue; None while isolation is proved."""

    @property
    def is_recent(self) -> bool:
        """Return whether this process proved it lately."""

    async def probe(
        self,
        session_id: UUID,
        subnet: str,
        common: Mapping[str, str],
        trace: Trace | None = None,
        *,
        targets: Targets = NO_TARGETS,
    ) -> Verdict:
        """Probe a session's network and return the verdict. Raises EngineError.

        `targets` have to answer, where the network crosses hosts.
        """

    async def refuted(self, session_id: UUID) -> Verdict | None:
        """Return another verdict if what probed did not end as it reported. Raises EngineError."""

    async def put_away(self, session_id: UUID) -> Verdict | None:
        """Remove what probed; return a verdict instead of the first if it is refuted. Raises EngineError."""


STARTS_IN_FLIGHT = 8
"""Measured on 2 cores: as fast as 64, with less load on the engine."""
MOST_STIRRED = 64
"""Containers that are remembered until the next look, more than a session has. Its host may report any:
after more of them all containers are looked at, so that it hides none that another host reports."""


class KindsFound:
    """The kinds of which something was found, for those who wait for the first."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()
        self._grown = asyncio.Event()

    def add(self, kinds: Iterable[str]) -> None:
        """Note kinds of which something was found."""
        if new := set(kinds) - self._kinds:
            self._kinds |= new
            self._grown.set()
            self._grown = asyncio.Event()

    async def wait_for(self, any_of: frozenset[str]) -> None:
        """Return once one of these kinds was found."""
        while not any_of & self._kinds:
            await self._grown.wait()


@dataclass(slots=True)
class SessionContext:
    """One running session in this process. Its state is in the journal."""

    id: UUID
    planned: LoadedTemplate | None
    """None when the template is gone or differs from the one the session was requested with."""
    engine: Engine
    journal: Journal
    settings: Settings
    isolation: IsolationProof
    preflight: Preflight
    placement: Placement | None = None
    """None where there is no fleet."""
    lost_host: Callable[[], str | None] = lambda: None
    """Returns why the session cannot go on without one of its hosts; None while all answer."""
    silent_host: Callable[[float], str | None] = lambda _: None
    """Returns which of the hosts it crosses was silent at a monotonic time or later; None when none was."""
    note_emptied: Callable[[Iterable[str]], None] = lambda _: None
    """Takes which hosts hold no container any more, while another one keeps the session in cleanup."""
    record_span: Record | None = None
    """Takes spans, where they are exported."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    stirred: set[str] | None = field(default_factory=set)
    """Containers that the engine reported an event about since the last look; None: it may have been any."""
    stop_requested: asyncio.Event = field(default_factory=asyncio.Event)
    collecting: set[str] = field(default_factory=set)
    """Collectors that are running."""
    scan_began: float = math.inf
    """Monotonic, in this process; a scan that broke off is tried again, and is one scan."""
    spans: list[CollectorSpan] = field(default_factory=list)
    """When each collector ran that ended in this process."""
    kinds: KindsFound = field(default_factory=KindsFound)
    """What collectors have found in this process."""
    spans_lost: bool = False
    """Some collectors ended in an earlier process, so their spans are unknown."""
    trace: Trace = field(default_factory=Trace)
    starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STARTS_IN_FLIGHT))
    deadline: Deadline = field(init=False)
    """One for all phases, prepared ones too: what a phase has seen of the clock holds in the next."""

    def __post_init__(self) -> None:
        self.deadline = Deadline(self.settings.session_duration)

    @property
    def template(self) -> LoadedTemplate:
        """Return the session's template. Raises SessionFailedError when it changed or is gone."""
        if self.planned is None:
            raise SessionFailedError("its template was changed or removed while it ran; start a new session")
        return self.planned

    def labels(self, expires_at: datetime) -> dict[str, str]:
        """Return the labels of everything this session creates."""
        return session_labels(self.id, self.journal.id, self.template.id, expires_at)

    async def record(self) -> SessionRecord:
        """Return the session's current row."""
        return await self.journal.session(self.id)

    def stir(self, container_id: str | None) -> None:
        """Wake the loop to look at one container, or with None at all of them."""
        if container_id is None or (self.stirred is not None and len(self.stirred) >= MOST_STIRRED):
            self.stirred = None
        elif self.stirred is not None:
            self.stirred.add(container_id)
        self.woken.set()

    async def wait_for_wake(self, seconds: float) -> frozenset[str] | None:
        """Return the containers to look at after an engine event, or None, all of them, after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            return None
        finally:
            stirred, self.stirred = self.stirred, set()
            self.woken.clear()
        return None if stirred is None else frozenset(stirred)


def last_words(stderr: bytes) -> str:
    """Return the last three lines of a program's output as one printable line, for an error message."""
    said = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(printable(line.strip(), limit=160) for line in said[-3:])
