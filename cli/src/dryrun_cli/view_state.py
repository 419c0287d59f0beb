"""What a session looks like by now: a pure fold over its events. Drawing knows no events, this no screen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, cast

from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import Event
from dryrun_contract.session import Outcome, Phase

LATEST_DISCOVERIES: Final = 8
LATEST_NOTICES: Final = 20


@dataclass(frozen=True, slots=True)
class DistinctKeys:
    """A set that grows by copies; blocks of doubling size keep an addition at O(log n) on average."""

    blocks: tuple[frozenset[tuple[str, str]], ...] = ()

    def __contains__(self, key: tuple[str, str]) -> bool:
        return any(key in block for block in self.blocks)

    def with_key(self, key: tuple[str, str]) -> "DistinctKeys":
        """Return a set that also holds `key`."""
        blocks, newest = list(self.blocks), frozenset((key,))
        while blocks and len(blocks[-1]) <= len(newest):
            newest |= blocks.pop()
        return DistinctKeys((*blocks, newest))


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """A phase with its times; `ended_at` is None while it lasts."""

    phase: Phase
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TargetView:
    """One target container."""

    service: str
    image: str
    state: words.TargetState
    detail: str | None = None
    harm: str | None = None
    """How a collector's run harmed it; stays when the container is gone."""


@dataclass(frozen=True, slots=True)
class CollectorView:
    """One run of a collector."""

    collector: str
    run: str
    started_at: datetime
    done: int = 0
    total: int | None = None
    message: str = ""
    discoveries: int = 0
    warnings: int = 0
    ended_at: datetime | None = None
    complete: bool | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should read; `harm` is what a collector did to a target."""

    at: datetime
    level: Literal["note", "warning", "harm", "failure"]
    text: str


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything a screen may show. Texts are as the server told them: hostile until drawn inert."""

    template: str | None = None
    seed: int = 0
    keep: bool = False
    actor: str | None = None
    phases: tuple[PhaseSpan, ...] = ()
    subnet: str | None = None
    expires_at: datetime | None = None
    targets: Mapping[str, TargetView] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    collectors: Mapping[str, CollectorView] = field(default_factory=dict)
    known: DistinctKeys = DistinctKeys()
    counts: Mapping[str, int] = field(default_factory=dict)
    latest: tuple[Discovery, ...] = ()
    """Newest last."""
    notices: tuple[Notice, ...] = ()
    """Newest last; older ones are dropped, `warnings` counts them all."""
    warnings: int = 0
    outcome: Outcome | None = None
    reason: str | None = None
    last_at: datetime | None = None

    @property
    def phase(self) -> Phase | None:
        """The phase the session is in; None before its first event."""
        return self.phases[-1].phase if self.phases else None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.outcome is not None


def reduce_event(state: ViewState, event: Event) -> ViewState:
    """Return the state after `event`. Never raises: an event that makes no sense here changes little."""
    step = cast("_Step | None", _STEPS.get(type(event.data)))
    after = step(state, event.data, event.at) if step else state
    return replace(after, last_at=event.at)


type _Step = Callable[[ViewState, Any, datetime], ViewState]


def _enter(state: ViewState, phase: Phase, at: datetime) -> ViewState:
    closed = tuple(span if span.ended_at else replace(span, ended_at=at) for span in state.phases)
    ended_at = at if phase is Phase.ENDED else None
    return replace(state, phases=(*closed, PhaseSpan(phase, at, ended_at)))


def _notify(
    state: ViewState, at: datetime, level: Literal["note", "warning", "harm", "failure"], text: str
) -> ViewState:
    notices = (*state.notices, Notice(at, level, text))[-LATEST_NOTICES:]
    return replace(state, notices=notices, warnings=state.warnings + (level != "note"))


def _queued(state: ViewState, data: words.SessionQueued, at: datetime) -> ViewState:
    state = replace(state, template=data.template, seed=data.seed, keep=data.keep, actor=data.actor)
    return _enter(state, Phase.QUEUED, at)


def _phase(state: ViewState, data: words.PhaseChanged, at: datetime) -> ViewState:
    if state.phase is not data.phase:
        state = _enter(state, data.phase, at)
    return _notify(state, at, "note", data.reason) if data.reason else state


def _network(state: ViewState, data: words.NetworkCreated, _at: datetime) -> ViewState:
    return replace(state, subnet=data.subnet, expires_at=data.expires_at)


def _probed(state: ViewState, data: words.IsolationProbed, at: datetime) -> ViewState:
    if data.isolated:
        return state
    return _notify(state, at, "failure", f"The network is not isolated from the host: {data.detail}")


def _target(state: ViewState, data: words.TargetChanged, _at: datetime) -> ViewState:
    before = state.targets.get(data.service)
    harm = before.harm if before else None
    view = TargetView(data.service, data.image, data.state, data.detail, harm)
    return replace(state, targets={**state.targets, data.service: view})


def _addresses(state: ViewState, data: words.AddressesMapped, _at: datetime) -> ViewState:
    return replace(state, addresses={**state.addresses, **data.addresses})


HARM_WORDS: Final = {"died": "died", "unhealthy": "became unhealthy", "out_of_memory": "ran out of memory"}


def _harmed(state: ViewState, data: words.TargetHarmed, at: datetime) -> ViewState:
    before = state.targets.get(data.service)
    targets = state.targets
    if before:
        targets = {**targets, data.service: replace(before, harm=HARM_WORDS[data.harm])}
    return _notify(replace(state, targets=targets), at, "harm", harm_sentence(data))


def harm_sentence(data: words.TargetHarmed) -> str:
    """Say in plain words what happened to a target and who ran meanwhile."""
    during = f" while {' and '.join(data.during)} ran" if data.during else ""
    return f"{data.service} {HARM_WORDS[data.harm]}{during}: {data.detail}"


def _collector(state: ViewState, run: str, view: CollectorView) -> ViewState:
    return replace(state, collectors={**state.collectors, run: view})


def _run(state: ViewState, collector: str, run: str, at: datetime) -> CollectorView:
    return state.collectors.get(run) or CollectorView(collector, run, at)


def _collector_started(state: ViewState, data: words.CollectorStarted, at: datetime) -> ViewState:
    return _collector(state, data.run, _run(state, data.collector, data.run, at))


def _progressed(state: ViewState, data: words.CollectorProgressed, at: datetime) -> ViewState:
    view = _run(state, data.collector, data.run, at)
    return _collector(state, data.run, replace(view, done=data.done, total=data.total, message=data.message))


def _discovered(state: ViewState, data: words.DiscoveryReported, at: datetime) -> ViewState:
    view = _run(state, data.collector, data.run, at)
    state = _collector(state, data.run, replace(view, discoveries=view.discoveries + 1))
    found = data.discovery
    key = (found.kind, found.key)
    if key in state.known:
        return state
    return replace(
        state,
        known=state.known.with_key(key),
        counts={**state.counts, found.kind: state.counts.get(found.kind, 0) + 1},
        latest=(*state.latest, found)[-LATEST_DISCOVERIES:],
    )


def _warned(state: ViewState, data: words.CollectorWarned, at: datetime) -> ViewState:
    view = _run(state, data.collector, data.run, at)
    state = _collector(state, data.run, replace(view, warnings=view.warnings + 1))
    return _notify(state, at, "warning", f"{data.collector}, line {data.line}: {data.message}")


def _collector_ended(state: ViewState, data: words.CollectorEnded, at: datetime) -> ViewState:
    view = replace(
        _run(state, data.collector, data.run, at),
        discoveries=data.discoveries,
        warnings=data.warnings,
        ended_at=at,
        complete=data.complete,
        truncated=data.truncated,
        message="",
    )
    state = _collector(state, data.run, view)
    if data.complete and not data.truncated:
        return state
    return _notify(state, at, "warning", incomplete_sentence(data))


def incomplete_sentence(data: words.CollectorEnded) -> str:
    """Say why a collector's result is not the whole."""
    if data.truncated:
        why = data.reason or "its output reached the ceiling and the rest was not read"
    else:
        why = data.reason or "it ended without its end line"
    exit_code = f" (exit code {data.exit_code})" if data.exit_code else ""
    return f"{data.collector} is incomplete: {why}{exit_code}"


def _ended(state: ViewState, data: words.SessionEnded, at: datetime) -> ViewState:
    if state.phase is not Phase.ENDED:
        state = _enter(state, Phase.ENDED, at)
    return replace(state, outcome=data.outcome, reason=data.reason)


def end_untold(state: ViewState, outcome: Outcome | None, reason: str | None, at: datetime) -> ViewState:
    """Return the state of a session whose end no event told; without an outcome it counts as failed."""
    return _ended(state, words.SessionEnded(outcome=outcome or Outcome.FAILED, reason=reason), at)


_STEPS: Final[Mapping[type, Any]] = {
    words.SessionQueued: _queued,
    words.PhaseChanged: _phase,
    words.NetworkCreated: _network,
    words.IsolationProbed: _probed,
    words.TargetChanged: _target,
    words.AddressesMapped: _addresses,
    words.TargetHarmed: _harmed,
    words.CollectorStarted: _collector_started,
    words.CollectorProgressed: _progressed,
    words.DiscoveryReported: _discovered,
    words.CollectorWarned: _warned,
    words.CollectorEnded: _collector_ended,
    words.SessionEnded: _ended,
}
