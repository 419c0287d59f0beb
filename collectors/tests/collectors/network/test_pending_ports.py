from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.network.pending_ports import PendingPorts

OPEN = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 12)), unique=True, max_size=40)


def drain(pending: PendingPorts, hosts: int) -> list[dict[str, frozenset[int]]]:
    batches = []
    while pending:
        batch = pending.take(hosts)
        assert 0 < len(batch) <= hosts
        batches.append(batch)
        pending.asked(batch)
    return batches


@given(OPEN, st.integers(1, 6))
def test_hands_out_every_port_once_and_no_run_asks_a_host_what_is_not_its_turn(found, hosts):
    pending = PendingPorts(ports_per_host=5)
    accepted = {each for each in found if pending.add(*each)}
    handed_out = []
    for batch in drain(pending, hosts):
        asked_everywhere = frozenset().union(*batch.values())
        for address, ports in batch.items():
            assert asked_everywhere & pending.known(address) == ports
            handed_out += [(address, number) for number in ports]
    assert sorted(handed_out) == sorted(accepted)


def test_of_a_host_with_too_many_open_ports_only_the_first_wait():
    pending = PendingPorts(ports_per_host=2)
    assert [pending.add("a", number) for number in (1, 2, 3)] == [True, True, False]
    assert pending.take(9) == {"a": frozenset({1, 2})}
    assert pending.known("a") == {1, 2, 3}


def test_no_run_asks_ports_of_radio_programs_of_a_host_on_which_they_are_not_known_to_be_none():
    pending = PendingPorts(ports_per_host=9)
    for each in (("a", 22), ("b", 22), ("b", 8000), ("c", 8000), ("c", 22)):
        pending.add(*each)
    pending.hold("d", 8000)
    pending.add("d", 22)
    both = frozenset({22, 8000})
    assert drain(pending, 9) == [{"a": frozenset({22}), "d": frozenset({22})}, {"b": both, "c": both}]


def test_takes_back_what_was_asked_in_vain():
    pending = PendingPorts(ports_per_host=2)
    pending.add("a", 1)
    pending.take(1)
    pending.return_unanswered("a", frozenset({1}))
    pending.return_unanswered("b", frozenset())
    assert drain(pending, 4) == [{"a": frozenset({1})}]


def test_a_controller_is_asked_one_port_at_a_time():
    pending = PendingPorts(ports_per_host=9)
    for number in (4001, 502, 4002):
        pending.add("plc", number)
    pending.add("web", 80)
    first = pending.take(9)
    assert first == {"plc": frozenset({502}), "web": frozenset({80})}
    assert not pending, "its turn has not ended"
    pending.add("web", 443)
    assert pending.take(9) == {"web": frozenset({443})}
    pending.asked(first)
    assert drain(pending, 9) == [{"plc": frozenset({4001})}, {"plc": frozenset({4002})}]


def test_what_turns_out_to_be_a_controller_waits_for_the_run_that_asks_it():
    pending = PendingPorts(ports_per_host=9)
    pending.add("plc", 80)
    first = pending.take(9)
    pending.add("plc", 502)
    assert not pending
    pending.asked(first)
    assert pending.take(9) == {"plc": frozenset({502})}


def test_a_host_whose_every_port_answers_is_no_controller():
    pending = PendingPorts(ports_per_host=100)
    for number in range(490, 540):
        pending.add("proxy", number)
    assert len(pending.take(9)["proxy"]) == 50
