from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery
from dryrun_contract.kinds import KINDS, OTHER_KINDS, counted_kind
from dryrun_contract.session import Outcome, Phase
from dryrun_contract.session_history import LATEST_NOTICES, WARNING_EXAMPLES, SessionHistory

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
RUN = {"collector": "network", "run": "1"}


def history(*data):
    state = SessionHistory()
    for seq, each in enumerate(data, 1):
        assert state.read(at(seq, each))
    return state


def at(seq, data):
    return words.Event(
        journal=UUID(int=1), seq=seq, session_id=UUID(int=2), at=START + timedelta(seconds=seq), data=data
    )


def phase(name, reason=None):
    return words.PhaseChanged(phase=name, reason=reason)


def started():
    return words.CollectorStarted(**RUN, image="i", image_id="sha256:1")


def warned(line):
    return words.CollectorWarned(**RUN, line=line, message="no answer")


def ended(**changes):
    values = {"complete": True, "truncated": False, "discoveries": 0, "warnings": 0, "lines": 1}
    return words.CollectorEnded(**RUN, **{**values, **changes})


def test_a_phase_lasts_until_the_next_and_the_end_has_its_outcome():
    state = history(
        words.SessionQueued(template="small", template_digest="d", seed=3, keep=False, actor="ada"),
        phase(Phase.SCANNING),
        phase(Phase.SCANNING),
        phase(Phase.ENDED),
        words.SessionEnded(outcome=Outcome.STOPPED, reason="by ada"),
    )
    assert [(span.phase, span.seconds) for span in state.phases] == [
        (Phase.QUEUED, 1.0), (Phase.SCANNING, 3.0), (Phase.ENDED, 0.0),
    ]  # fmt: skip
    assert state.has_ended
    assert (state.started.seed, state.outcome, state.reason) == (3, Outcome.STOPPED, "by ada")


def test_an_event_that_is_not_newer_changes_nothing():
    state = history(started(), warned(1))
    assert not state.read(at(2, warned(2)))
    assert not state.read(at(1, warned(2)))
    assert (state.warnings, state.seq) == (1, 2)


def test_an_end_without_an_event_closes_the_phase():
    state = history(phase(Phase.WAITING))
    state.end(Outcome.FAILED, "lost", START + timedelta(seconds=9))
    assert (state.outcome, state.reason, state.phase) == (Outcome.FAILED, "lost", Phase.ENDED)
    assert state.phases[0].seconds == 8


def test_a_run_whose_start_was_lost_is_known_by_its_other_events():
    found = words.DiscoveryReported(**RUN, line=1, discovery=Discovery(kind="host", key="10.0.0.1"))
    (run,) = history(found, warned(2)).runs.values()
    assert (run.started, run.discoveries, run.warnings) == (None, 1, 1)


def test_the_count_at_a_collectors_end_settles_its_figures():
    (run,) = history(started(), warned(1), ended(discoveries=7, warnings=2)).runs.values()
    assert (run.discoveries, run.warnings, run.seconds, run.is_whole) == (7, 2, 2.0, True)


@pytest.mark.parametrize("changes", [{"complete": False}, {"truncated": True}])
def test_a_run_that_is_not_whole_is_a_notice(changes):
    state = history(started(), ended(**changes))
    (run,) = state.runs.values()
    assert not run.is_whole
    assert [(notice.level, notice.about) for notice in state.notices] == [("warning", run.ended)]


def test_notices_and_examples_are_bounded_and_warnings_counted():
    count = LATEST_NOTICES + 10
    state = history(started(), *(warned(line) for line in range(1, count + 1)))
    (run,) = state.runs.values()
    assert (len(state.notices), state.warnings, run.warnings) == (LATEST_NOTICES, count, count)
    assert len(run.warning_examples) == WARNING_EXAMPLES
    assert run.warning_examples[0] == "line 1: no answer"


def test_notices_have_the_level_of_their_event():
    state = history(
        phase(Phase.SCANNING, "all targets are healthy"),
        words.IsolationProbed(isolated=False, detail="the host answers"),
        words.TargetHarmed(service="db", harm="died", during=("network",), detail="exit code 1"),
        warned(1),
    )
    assert [notice.level for notice in state.notices] == ["note", "failure", "harm", "warning"]
    assert state.warnings == 3


def test_kinds_that_the_contract_does_not_know_are_counted_as_one():
    assert {counted_kind(kind) for kind in (*KINDS, "moon", "moon_2")} == {*KINDS, OTHER_KINDS}
