"""What a bring-up and a removal are made of, by what the engine says that it did."""

from uuid import uuid4

import pytest
from bench.courses import Course, medians, step_rows
from bench.raw_engine import Act

from dryrun_contract.event import BringUpSpan
from dryrun_orchestrator import labels

SESSION = uuid4()


def container(at, action, role="target", session=SESSION):
    attributes = {labels.ROLE: role, labels.SESSION_ID: str(session)} if session else {"name": "web"}
    return Act(at, "container", action, attributes)


def network(at, action, name=f"dryrun-{SESSION}"):
    return Act(at, "network", action, {"name": name})


def rounded(pieces):
    return [(name, round(seconds, 3)) for name, seconds in pieces]


def test_a_sessions_probe_and_its_check_of_the_host_are_no_targets():
    other = uuid4()
    seen = [
        network(10.05, "create", f"dryrun-{other}"),
        network(10.1, "create"),
        container(10.2, "start", session=other),
        container(10.3, "start", role="collector"),
        container(10.6, "start"),
        container(10.9, "start"),
        container(11.2, "health_status: healthy"),
        container(11.5, "health_status: healthy"),
        container(11.7, "start"),
    ]
    assert rounded(Course(10, 1.6, 13, 1, SESSION).bringing_up(seen)) == [
        ("network", 0.1),
        ("until the first target starts", 0.5),
        ("until the last one starts", 0.3),
        ("becoming healthy", 0.6),
        ("seeing it", 0.1),
    ]


def test_a_removal_counts_every_container_that_goes():
    seen = [
        container(12.9, "die"),
        container(13.1, "kill"),
        container(13.3, "destroy", role="collector"),
        container(13.4, "destroy"),
        network(13.6, "destroy"),
        container(14.2, "destroy"),
    ]
    course = Course(10, 1.6, 13, 0.7, SESSION)
    assert rounded(course.removing(seen)) == [
        ("asking", 0.1),
        ("removing containers", 0.3),
        ("network", 0.2),
        ("seeing it", 0.1),
    ]
    assert course.removed(seen) == 2


def test_what_is_no_session_counts_none_of_a_sessions_acts():
    seen = [
        network(10.1, "create"),
        container(10.1, "start"),
        network(10.2, "create", "bench-7_default"),
        container(10.4, "start", session=None),
    ]
    assert rounded(Course(10, 1, 13, 1).bringing_up(seen))[:3] == [
        ("network", 0.2),
        ("until the first target starts", 0.2),
        ("until the last one starts", 0.0),
    ]


def test_what_is_prepared_before_the_time_begins_moves_no_milestone_out_of_it():
    # Called at 10, began after 0.02 s, healthy after 1 s more, gone after another 0.5 s.
    course = Course.ended(11.52, 1.0, 0.5)
    seen = [container(11.51, "destroy", session=None), network(11.515, "destroy", "bench-7_default")]
    assert rounded(course.removing(seen))[2:] == [("network", 0.005), ("seeing it", 0.005)]
    assert (round(course.begin, 3), round(course.stop, 3)) == (10.02, 11.02)


def test_pieces_add_up_to_the_time_also_where_a_milestone_is_missing():
    course = Course(10, 1, 13, 1)
    assert rounded(course.bringing_up([]))[-1] == ("seeing it", 1.0)
    assert sum(seconds for _, seconds in course.removing([])) == pytest.approx(1)


def test_each_piece_is_the_median_of_its_rounds():
    rounds = [[("a", 1.0), ("b", 5.0)], [("a", 2.0), ("b", 4.0)], [("a", 9.0), ("b", 3.0)]]
    assert medians("x", rounds).pieces == [("a", 2.0), ("b", 4.0)]


def test_steps_are_told_from_the_request_on_and_those_of_targets_together():
    def span(step, begin, seconds, service=None):
        return BringUpSpan(step=step, service=service, begin=begin, seconds=seconds)

    spans = [span("network", 0, 0.1), span("start", 0.5, 0.2, "web"), span("start", 0.6, 0.4, "db")]
    assert step_rows([(0.03, spans)]) == [
        ["hand over the request", "0.00", "0.03"],
        ["create the network", "0.03", "0.13"],
        ["start the targets", "0.53", "1.03"],
    ]
