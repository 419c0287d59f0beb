import resource
import socket
from contextlib import contextmanager

import pytest

from dryrun_local.system.ports import free_ports, reserved_ports


def test_a_port_that_is_taken_is_replaced_by_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        wanted = taken.getsockname()[1]
        (found,) = free_ports(wanted)
        assert found != wanted
    assert free_ports(wanted) == (wanted,)


@contextmanager
def few_descriptors(most):
    """So that what takes one after the other comes to its end soon."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def reserve(port):
    with reserved_ports(port) as (found,):
        return found


@pytest.mark.parametrize(("family", "find"), [(socket.AF_UNIX, reserve), (socket.AF_INET, free_ports)])
def test_a_refusal_to_bind_is_no_port_that_is_taken(monkeypatch, family, find):
    class Refusing(socket.socket):
        def bind(self, address):
            if self.family == family and address != ("127.0.0.1", 0):
                raise PermissionError("not here")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Refusing)
    with few_descriptors(256), pytest.raises(PermissionError, match="not here"):
        find(18470)


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
