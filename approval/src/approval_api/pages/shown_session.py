"""A session as its page shows it: its history and the newest discoveries, live and once it is over."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from approval_api.pages.words import gist
from approval_api.scoring.naming import name_place
from dryrun_contract.event import (
    CollectorWarned,
    DiscoveryReported,
    Event,
    TargetHarmed,
)
from dryrun_contract.kinds import counted_kind
from dryrun_contract.session import Outcome, Phase
from dryrun_contract.session_history import SessionHistory, Target
from dryrun_contract.template import Template

ARRIVALS = 500
"""The page shows this many of the newest discoveries; the list has them all."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A discovery as it arrived, cut to what is shown: all of it may be large."""

    seq: int
    at: datetime
    collector: str
    key: str
    kind: str
    gist: str


@dataclass(frozen=True, slots=True)
class Note:
    """A warning of a collector, or harm to a target."""

    at: datetime
    grave: bool
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One phase in the pipeline."""

    phase: str
    state: str
    """`done`, `now`, `ahead`, `skipped`, `failed`, or `stopped` before its end."""
    started_at: datetime | None = None
    seconds: float | None = None


@dataclass
class ShownSession(SessionHistory):
    """A session's history with what its page shows of discoveries; its row comes from the database."""

    planned: tuple[str, ...] = ()
    """Collectors of the template, in their order."""
    found: Counter[str] = field(default_factory=Counter)
    """Discoveries by kind."""
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=ARRIVALS))
    found_on: set[str] = field(default_factory=set)
    """Targets on which something was found."""
    notes_count: int = 0

    @classmethod
    def of(cls, template: Template | None) -> "ShownSession":
        """Return the state before the first event, with the targets and collectors of `template`."""
        if template is None:
            return cls()
        return cls(
            planned=template.collectors,
            targets={service.name: Target(service.name, service.image) for service in template.services},
        )

    def read(self, event: Event) -> bool:
        """Apply `event`; one that was read before changes nothing."""
        if not super().read(event):
            return False
        match event.data:
            case DiscoveryReported(collector=collector, discovery=discovery):
                self.found[counted_kind(discovery.kind)] += 1
                place = name_place(discovery.key, self.addresses)
                key = place.key
                if place.service in self.targets:
                    self.found_on.add(place.service)
                shown = gist(discovery.data)
                self.arrivals.append(Arrival(event.seq, event.at, collector, key, discovery.kind, shown))
            case TargetHarmed() | CollectorWarned():
                self.notes_count += 1
            case _:
                pass
        return True

    def standing(self, service: str) -> str:
        """Return what a drawing of the network shows of a target, the worst first."""
        target = self.targets.get(service)
        if target is None:
            return "planned"
        if target.harm is not None:
            return "harmed"
        if service in self.found_on:
            return "found"
        if target.state in {"removed", "stopped"} and target.was_healthy and self._was_scanned_whole:
            return "missed"
        return target.state

    @property
    def _was_scanned_whole(self) -> bool:
        """Whether collectors had looked everywhere: what they did not find then, they missed."""
        whole = bool(self.runs) and all(run.is_whole for run in self.runs.values())
        return whole and not self.was_cut_short

    def standing_on_host(self, service: str, most: int = 80) -> str:
        """Return the same with the host that runs it, where there are several; hostile until made inert.

        The host's end tells it from others: what is longer than `most` loses the beginning.
        """
        target, standing = self.targets.get(service), self.standing(service)
        if target is None or target.host is None:
            return standing
        room = most - len(f"{standing} on ")
        host = target.host if len(target.host) <= room else "…" + target.host[1 - room :]
        return f"{standing} on {host}"

    @property
    def notes(self) -> list[Note]:
        """The latest warnings and harm, newest last."""
        notes = []
        for notice in self.notices:
            match notice.about:
                case TargetHarmed(service=service, harm=harm, detail=detail, during=during):
                    by = f" while {' and '.join(during)} ran" if during else ""
                    text = f"{harm.replace('_', ' ')}{by}: {detail}"
                    notes.append(Note(notice.at, True, service, text))
                case CollectorWarned(collector=collector, line=line, message=message):
                    notes.append(Note(notice.at, False, collector, f"line {line}: {message}"))
                case _:
                    pass
        return notes

    def waiting_collectors(self) -> tuple[str, ...]:
        """Return the planned collectors that have not started."""
        started = {run.collector for run in self.runs.values()}
        return tuple(name for name in self.planned if name not in started)

    def steps(self, *, keep: bool, phase: str, outcome: str | None) -> tuple[Step, ...]:
        """Return the pipeline. `kept` is a step only if the session was started with `keep` or was kept."""
        spans = {span.phase: span for span in self.phases}
        order = [
            name
            for name in Phase
            if name is not Phase.ENDED and (name is not Phase.KEPT or keep or name in spans)
        ]
        over = (Phase.CLEANING_UP, Phase.ENDED)
        last = next((span.phase for span in reversed(self.phases) if span.phase not in over), None)
        steps = []
        for name in order:
            span = spans.get(name)
            if span is None:
                skipped = Phase.CLEANING_UP in spans or phase == "ended"
                steps.append(Step(name, "skipped" if skipped else "ahead"))
            elif name == phase and phase != "ended":
                steps.append(Step(name, "now", span.started_at, span.seconds))
            else:
                state = self._ended_as(outcome) if name == last else "done"
                steps.append(Step(name, state, span.started_at, span.seconds))
        end = spans.get(Phase.ENDED)
        is_over = "done" if phase == "ended" else "ahead"
        steps.append(Step(Phase.ENDED, is_over, end.started_at if end else None))
        return tuple(steps)

    def _ended_as(self, outcome: str | None) -> str:
        """Return how the last phase before the cleanup ended."""
        if outcome == Outcome.FAILED:
            return "failed"
        return "stopped" if outcome in (Outcome.STOPPED, Outcome.EXPIRED) and self.was_cut_short else "done"
