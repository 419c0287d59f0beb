"""What one bring-up and removal is made of, as the engine saw it: the same for every contestant."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from bench.raw_engine import Act
from bench.results import Breakdown
from dryrun_contract.event import BringUpSpan, SpanName
from dryrun_orchestrator import labels

_HEALTHY = "health_status: healthy"
STEPS: dict[SpanName, str] = {
    "queue": "wait for a place",
    "checks": "check the engine",
    "network": "create the network",
    "probe_start": "start the isolation probe",
    "probe": "prove the isolation",
    "create": "create the targets",
    "start": "start the targets",
    "health": "become healthy",
    "probe_removal": "remove the probe",
}


@dataclass(frozen=True)
class Course:
    """When one contestant brought its targets up and removed them: seconds since the epoch, and how long."""

    begin: float
    up: float
    stop: float
    down: float
    session: UUID | None = None
    """The session, where the contestant is this project."""

    @classmethod
    def ended(cls, at: float, up: float, down: float) -> "Course":
        """Return the course of one that removed its targets as soon as they were healthy.

        From its end backwards: what it prepares before its time begins is not counted.
        """
        return cls(at - down - up, up, at - down, down)

    @property
    def healthy(self) -> float:
        """When its targets were known to be healthy."""
        return self.begin + self.up

    def bringing_up(self, seen: Sequence[Act]) -> list[tuple[str, float]]:
        """Return the seconds between the milestones on the way to healthy targets."""
        acts = [act for act in seen if self.begin <= act.at <= self.healthy and self._is_mine(act)]
        starts = [act.at for act in acts if act.action == "start" and _is_target(act)]
        return _pieces(
            self.begin,
            [
                ("network", [act.at for act in acts if (act.kind, act.action) == ("network", "create")][:1]),
                ("until the first target starts", starts[:1]),
                ("until the last one starts", starts),
                ("becoming healthy", [act.at for act in acts if act.action == _HEALTHY and _is_target(act)]),
                ("seeing it", [self.healthy]),
            ],
        )

    def removing(self, seen: Sequence[Act]) -> list[tuple[str, float]]:
        """Return the seconds between the milestones on the way to nothing being left."""
        acts, end = self._removal(seen), self.stop + self.down
        return _pieces(
            self.stop,
            [
                ("asking", [act.at for act in acts if act.kind == "container"][:1]),
                ("removing containers", [act.at for act in acts if _is_gone(act, "container")]),
                ("network", [act.at for act in acts if _is_gone(act, "network")]),
                ("seeing it", [end]),
            ],
        )

    def removed(self, seen: Sequence[Act]) -> int:
        """Return how many containers were removed."""
        return sum(_is_gone(act, "container") for act in self._removal(seen))

    def _removal(self, seen: Sequence[Act]) -> list[Act]:
        end = self.stop + self.down
        wanted = ("kill", "die", "destroy")
        return [
            act for act in seen if self.stop <= act.at <= end and act.action in wanted and self._is_mine(act)
        ]

    def _is_mine(self, act: Act) -> bool:
        """Leave out what a check of the host's isolation does beside it: that is a session of its own."""
        if act.kind == "network":
            name = act.attributes.get("name", "")
            if self.session is not None:
                return name == labels.network_name(self.session)
            return name.startswith(("dryrun-bench-", "bench-"))
        owner = act.attributes.get(labels.SESSION_ID)
        return owner == (None if self.session is None else str(self.session))


def _is_target(act: Act) -> bool:
    # A session has its probe and its collectors beside them.
    return act.kind == "container" and act.attributes.get(labels.ROLE, "target") == "target"


def _is_gone(act: Act, kind: str) -> bool:
    return (act.kind, act.action) == (kind, "destroy")


def _pieces(begin: float, milestones: Iterable[tuple[str, Sequence[float]]]) -> list[tuple[str, float]]:
    """Return the seconds from each milestone to the next, each the last of its moments."""
    pieces, before = [], begin
    for name, moments in milestones:
        now = max(before, *moments) if moments else before
        pieces.append((name, now - before))
        before = now
    return pieces


def medians(name: str, rounds: Sequence[Sequence[tuple[str, float]]]) -> Breakdown:
    """Return the median of each piece."""
    names = [piece for piece, _ in rounds[0]]
    seconds = [statistics.median(each[place][1] for each in rounds) for place in range(len(names))]
    return Breakdown(name=name, pieces=list(zip(names, seconds, strict=True)))


def step_rows(traced: Sequence[tuple[float, Sequence[BringUpSpan]]]) -> list[list[str]]:
    """Return each step of sessions with when it began and ended, in seconds after the request: medians.

    `traced`: how long each session's request took to reach the orchestrator, and its spans from then on.
    """
    rows = [["hand over the request", "0.00", f"{statistics.median(before for before, _ in traced):.2f}"]]
    for step, name in STEPS.items():
        times = [
            (
                before + min(each.begin for each in steps),
                before + max(each.begin + each.seconds for each in steps),
            )
            for before, spans in traced
            if (steps := [span for span in spans if span.step == step])
        ]
        if times:
            rows.append([name, *(f"{statistics.median(each):.2f}" for each in zip(*times, strict=True))])
    return rows
