"""What a soak on several hosts counts."""

from soak import carried, unbalanced


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


def test_a_host_with_too_many_at_once_or_most_of_the_targets_is_found():
    hosts = carried([placed("1", {"a": 3}, "a"), placed("2", {"b": 2}, "b")])
    assert unbalanced(hosts, "ab") == []
    assert "{'a': 3, 'b': 2, 'c': 0}" in unbalanced(hosts, "abc")[0]
    five = carried([placed(str(number), {"a": 1, "b": 1}, "a") for number in range(5)])
    assert unbalanced(five, "ab") == ["a had 5 sessions at once, of 4", "b had 5 sessions at once, of 4"]
