"""What a session's page shows, folded from events."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fake_orchestrator import SMALL

from approval_api.pages.shown_session import ARRIVALS, ShownSession
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    AddressesMapped,
    CollectorEnded,
    CollectorProgressed,
    CollectorStarted,
    CollectorWarned,
    DiscoveryReported,
    Event,
    PhaseChanged,
    SessionEnded,
    SessionQueued,
    TargetChanged,
    TargetHarmed,
    TrafficMeasured,
)
from dryrun_contract.session import Outcome, Phase

JOURNAL, SESSION = uuid4(), uuid4()
BEGIN = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
QUEUED = SessionQueued(template="small", template_digest="sha256:1", seed=0, keep=False, actor="ada")


def events(*happened):
    return [
        Event(
            journal=JOURNAL, seq=number, session_id=SESSION, at=BEGIN + timedelta(seconds=number), data=data
        )
        for number, data in enumerate(happened, 1)
    ]


def folded(*happened):
    state = ShownSession.of(SMALL)
    for event in events(*happened):
        state.read(event)
    return state


def found(line, key="10.213.0.2:5432/tcp", kind="service"):
    return DiscoveryReported(collector="network", run="r", line=line, discovery=Discovery(kind=kind, key=key))


def phase(name):
    return PhaseChanged(phase=Phase(name))


def states(state, *, now, outcome=None, keep=False):
    return [(step.phase, step.state) for step in state.steps(keep=keep, phase=now, outcome=outcome)]


STARTED = CollectorStarted(collector="network", run="r", image="i", image_id="sha256:2")
MEASURED = TrafficMeasured(targets={}, peak_packets_per_second=0, sampling_seconds=1)


def ended(*, complete=True, truncated=False):
    return CollectorEnded(
        collector="network",
        run="r",
        complete=complete,
        truncated=truncated,
        discoveries=0,
        warnings=1,
        lines=1,
    )


def test_targets_stand_there_before_they_exist():
    assert [(each.service, each.state) for each in folded(QUEUED).targets.values()] == [
        ("db", "planned"),
        ("web", "planned"),
    ]


def test_reading_an_event_twice_changes_nothing():
    state = ShownSession.of(SMALL)
    for event in events(QUEUED, STARTED, found(1)) * 2:
        state.read(event)
    assert state.found.total() == len(state.arrivals) == 1


def test_a_discovery_is_shown_by_its_services_name():
    state = folded(QUEUED, AddressesMapped(addresses={"10.213.0.2": "db"}), STARTED, found(1))
    assert [arrival.key for arrival in state.arrivals] == ["db:5432/tcp"]
    assert state.targets["db"].address == "10.213.0.2"


def test_the_page_keeps_the_newest_discoveries_and_counts_all():
    state = folded(QUEUED, STARTED, *(found(line) for line in range(1, ARRIVALS + 11)))
    assert (state.found.total(), len(state.arrivals)) == (ARRIVALS + 10, ARRIVALS)
    assert state.arrivals[-1].seq == ARRIVALS + 12


def test_a_collector_shows_its_progress_and_how_it_ended():
    progress = CollectorProgressed(collector="network", run="r", done=3, total=5, message="half way")
    warned = CollectorWarned(collector="network", run="r", line=1, message="no answer")
    state = folded(QUEUED, STARTED, progress, warned, ended(complete=False))
    (run,) = state.runs.values()
    assert (run.done, run.total, run.message, run.warnings, run.ended, run.seconds) == (
        3, 5, "half way", 1, ended(complete=False), 3.0,
    )  # fmt: skip
    assert [(note.where, note.text, note.grave) for note in state.notes] == [
        ("network", "line 1: no answer", False)
    ]
    assert state.waiting_collectors() == ("database",)


def test_harm_is_marked_at_the_target_and_stays_after_it_is_gone():
    def changed(state):
        return TargetChanged(service="db", image="i", image_id="sha256:3", state=state)

    harm = TargetHarmed(service="db", harm="died", during=("network",), detail="exit code 137")
    state = folded(QUEUED, changed("healthy"), harm, changed("removed"))
    target = state.targets["db"]
    assert (target.state, target.harm, target.was_healthy) == ("removed", "died", True)
    assert [(note.grave, note.text) for note in state.notes] == [
        (True, "died while network ran: exit code 137")
    ]


def test_the_pipeline_shows_what_was_what_is_and_what_is_to_come():
    state = folded(QUEUED, phase("provisioning"), phase("waiting"))
    assert states(state, now="waiting") == [
        ("queued", "done"), ("provisioning", "done"), ("waiting", "now"),
        ("scanning", "ahead"), ("cleaning_up", "ahead"), ("ended", "ahead"),
    ]  # fmt: skip
    assert [step.seconds for step in state.steps(keep=False, phase="waiting", outcome=None)][:3] == [
        1,
        1,
        None,
    ]


def test_a_failure_is_shown_where_it_happened_and_what_never_came_as_skipped():
    happened = (QUEUED, phase("provisioning"), phase("cleaning_up"), SessionEnded(outcome=Outcome.FAILED))
    assert states(folded(*happened), now="ended", outcome="failed") == [
        ("queued", "done"), ("provisioning", "failed"), ("waiting", "skipped"),
        ("scanning", "skipped"), ("cleaning_up", "done"), ("ended", "done"),
    ]  # fmt: skip


@pytest.mark.parametrize("outcome", ["expired", "stopped"])
def test_a_scan_that_was_cut_short_is_not_shown_as_done(outcome):
    so_far = [QUEUED, phase("scanning"), STARTED]
    end = (phase("cleaning_up"), SessionEnded(outcome=Outcome(outcome)))
    cut = folded(*so_far, *end)
    assert ("scanning", "stopped") in states(cut, now="ended", outcome=outcome)
    whole = folded(*so_far, MEASURED, *end)
    assert ("scanning", "done") in states(whole, now="ended", outcome=outcome)


def test_kept_stands_in_the_pipeline_only_when_it_was_asked_for_or_came():
    assert ("kept", "ahead") in states(folded(QUEUED), now="queued", keep=True)
    assert "kept" not in dict(states(folded(QUEUED), now="queued"))
    assert ("kept", "now") in states(folded(QUEUED, phase("kept")), now="kept")


def changed(service, state):
    return TargetChanged(service=service, image="i", image_id="sha256:1", state=state)


def test_a_machine_of_the_drawing_comes_up_is_found_and_stays_so_when_it_is_removed():
    mapped = AddressesMapped(addresses={"10.213.0.2": "db", "10.213.0.3": "web"})
    so_far = [QUEUED, mapped]
    assert folded(*so_far).standing("db") == "planned"
    so_far.append(changed("db", "healthy"))
    assert folded(*so_far).standing("db") == "healthy"
    so_far += [changed("web", "healthy"), STARTED, found(1), found(2, key="10.213.0.99:1/tcp")]
    state = folded(*so_far)
    assert (state.standing("db"), state.standing("web")) == ("found", "healthy")
    assert state.found_on == {"db"}, "an address of nobody is no machine of the drawing"
    so_far += [ended(), MEASURED, changed("db", "removed"), changed("web", "removed")]
    state = folded(*so_far)
    assert (state.standing("db"), state.standing("web")) == ("found", "missed")
    assert state.standing("nobody") == "planned"


@pytest.mark.parametrize(
    "scanned",
    [
        pytest.param((), id="no collector ran"),
        pytest.param((STARTED,), id="it was stopped in its scan"),
        pytest.param((STARTED, ended()), id="it was stopped before the next collector"),
        pytest.param((STARTED, ended(complete=False), MEASURED), id="the collector broke off"),
        pytest.param((STARTED, ended(truncated=True), MEASURED), id="its output was cut"),
    ],
)
def test_a_machine_that_nobody_looked_for_to_the_end_is_not_missed(scanned):
    state = folded(QUEUED, changed("web", "healthy"), *scanned, changed("web", "removed"))
    assert state.standing("web") == "removed"


def test_a_machine_of_the_drawing_says_on_which_of_several_hosts_it_stands():
    here = TargetChanged(service="db", image="i", image_id="sha256:1", state="healthy", host="north")
    state = folded(QUEUED, here, changed("web", "healthy"))
    assert [state.standing_on_host(name) for name in ("db", "web", "nobody")] == [
        "healthy on north",
        "healthy",
        "planned",
    ]
    far = TargetChanged(service="db", image="i", image_id="sha256:1", state="healthy", host="frankfurt-10")
    assert folded(QUEUED, far).standing_on_host("db", 19) == "healthy on …furt-10"


def test_harm_outweighs_that_it_was_found():
    mapped = AddressesMapped(addresses={"10.213.0.2": "db"})
    harmed = TargetHarmed(service="db", harm="died", during=("network",), detail="x")
    state = folded(QUEUED, mapped, changed("db", "healthy"), STARTED, found(1), harmed)
    assert state.standing("db") == "harmed"
