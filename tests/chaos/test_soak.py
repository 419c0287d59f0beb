"""What a soak on several hosts counts."""

from soak import Carried, carried, unbalanced


def placed(session, targets, collectors):
    return "", 0, session, "session_placed", {"targets": targets, "collectors": collectors}


def ended(session):
    return "", 0, session, "session_ended", {}


def test_what_hosts_carried_is_counted_by_places_and_targets():
    rows = [
        placed("1", {"a": 2}, "a"),
        placed("2", {"a": 1, "b": 1}, "c"),
        ended("1"),
        ended("not placed"),
        placed("3", {"a": 2}, "a"),
    ]
    hosts = carried(rows)
    assert {name: (each.sessions, each.targets, each.most_at_once) for name, each in hosts.items()} == {
        "a": (3, 5, 2),
        "b": (1, 1, 1),
        "c": (1, 0, 1),
    }


def of(most_at_once, targets):
    return Carried(targets=targets, most_at_once=most_at_once)


def test_hosts_that_hold_too_many_or_too_few_or_most_of_the_targets_are_found():
    assert unbalanced({"a": of(4, 30), "b": of(4, 20)}, "ab") == []
    assert unbalanced({"a": of(5, 30)}, "a") == ["a had 5 sessions at once, of 4"]
    assert unbalanced({"a": of(3, 30)}, "a") == ["a had 3 sessions at once at most, and 4 places"]
    (said,) = unbalanced({"a": of(4, 41), "b": of(4, 20)}, "ab")
    assert "{'a': 41, 'b': 20}" in said
