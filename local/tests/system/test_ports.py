import socket

from dryrun_local.system.ports import free_ports, reserved_ports


def test_a_port_that_is_taken_is_replaced_by_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        wanted = taken.getsockname()[1]
        (found,) = free_ports(wanted)
        assert found != wanted
    assert free_ports(wanted) == (wanted,)


def test_free_ports_are_different_ones():
    first, second = free_ports(0, 0)
    assert first != second


def test_who_starts_while_another_one_starts_gets_other_ports():
    """Nobody listens yet."""
    wanted = free_ports(0, 0)
    with reserved_ports(*wanted) as first:
        assert first == wanted
        with reserved_ports(*wanted) as second:
            assert len({*first, *second}) == 4
    with reserved_ports(*wanted) as again:
        assert again == wanted
