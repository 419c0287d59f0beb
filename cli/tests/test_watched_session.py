import copy
from collections import Counter

import pytest
import recorded_session
from folded_session import SCRIPTS, events_of, folded
from hypothesis import given
from hypothesis import strategies as st

from dryrun_cli.drawing.narration import notice_text
from dryrun_cli.live.watched_session import WatchedSession
from dryrun_contract.kinds import OTHER_KINDS
from dryrun_contract.session import Outcome, Phase


def test_a_whole_session_folds_into_what_it_was():
    state = folded(recorded_session.small())
    assert state.outcome is Outcome.COMPLETED
    assert state.has_ended
    phases = [span.phase for span in state.phases]
    assert phases == [
        Phase.QUEUED,
        Phase.PROVISIONING,
        Phase.WAITING,
        Phase.SCANNING,
        Phase.CLEANING_UP,
        Phase.ENDED,
    ]
    assert all(span.ended_at is not None for span in state.phases)
    assert state.counts == {"host": 5, "service": 6, "certificate": 1, "database": 2, "table": 5}
    assert {view.state for view in state.targets.values()} == {"removed"}
    assert [view.discoveries for view in state.runs.values()] == [12, 7]


def test_each_phase_ends_when_the_next_begins():
    spans = folded(recorded_session.small()).phases
    assert [span.ended_at for span in spans[:-1]] == [span.started_at for span in spans[1:]]


def test_a_discovery_reported_twice_counts_once_and_twice_for_its_collector():
    twice = [(1.0, recorded_session.found("network", line, "host", "10.213.0.2")) for line in (1, 2)]
    state = folded(twice)
    assert state.counts == {"host": 1}
    assert state.runs["network", "run-network"].discoveries == 2


def test_harm_stays_with_the_target_when_its_container_is_gone():
    state = folded(recorded_session.harmed())
    assert state.targets["docs"].state == "removed"
    assert state.targets["docs"].harm == "out_of_memory"
    assert "docs ran out of memory while network ran" in next(
        notice_text(notice) for notice in state.notices if notice.level == "harm"
    )


def test_an_incomplete_collector_is_a_warning_with_its_reason():
    state = folded(recorded_session.harmed())
    texts = map(notice_text, state.notices)
    assert any("database is incomplete: 8 MiB of output were read" in text for text in texts)


def test_a_network_that_is_not_isolated_is_a_failure():
    probe = {"type": "isolation_probed", "isolated": False, "detail": "the bridge answered"}
    (notice,) = folded([(0.0, probe)]).notices
    assert notice.level == "failure"


def test_reading_the_same_events_again_gives_the_same_state_after_each_and_no_event_counts_twice():
    events = list(events_of(recorded_session.small()))
    state, states = WatchedSession(), []
    for event in events:
        assert state.read(event)
        states.append(copy.deepcopy(state))
    again = WatchedSession()
    for position, expected in enumerate(states):
        for event in events[: position + 1]:
            again.read(event)
        assert again == expected


@given(st.data())
def test_any_order_of_events_folds_without_an_error(data):
    events = [event for script in SCRIPTS for event in events_of(script())]
    chosen = data.draw(st.lists(st.sampled_from(events), max_size=30))
    state = WatchedSession()
    for seq, event in enumerate(chosen, 1):
        assert state.read(event.model_copy(update={"seq": seq}))
    assert state.seq == len(chosen)


@given(st.lists(st.tuples(st.sampled_from(["host", "table"]), st.integers(0, 40))))
def test_distinct_discoveries_are_counted_by_kind(keys):
    script = [
        (1.0, recorded_session.found("network", line, kind, f"10.0.0.{key}"))
        for line, (kind, key) in enumerate(keys, 1)
    ]
    assert folded(script).counts == Counter(kind for kind, _ in set(keys))


def test_a_kind_for_each_discovery_makes_no_longer_list():
    script = [(1.0, recorded_session.found("network", n, f"kind_{n}", "10.0.0.1")) for n in range(1, 2001)]
    assert folded(script).counts == {OTHER_KINDS: 2000}


@pytest.mark.parametrize("script", SCRIPTS)
def test_notices_stay_bounded(script):
    state = folded(script() * 50)
    assert len(state.notices) <= 20
    assert len(state.latest) <= 8
