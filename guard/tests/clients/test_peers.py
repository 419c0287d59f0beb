"""Who may connect, and how much of the guard one client can take."""

import os
import socket
from contextlib import ExitStack, suppress

import pytest
from guard_stage import Guard

from docker_guard.clients.listeners import open_listener
from docker_guard.clients.peers import Crowd, Peer, peer_of
from docker_guard.leaving import Leaving
from docker_guard.refusal import Refusal
from docker_guard.rules.policy import ConfigurationError, Policy

ME, OTHER = Peer("me", "me"), Peer("other", "other")


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (Policy(), True),
        (Policy(user_ids=(), group_ids=()), False),
        (Policy(user_ids=(os.geteuid(),), group_ids=()), True),
        (Policy(user_ids=(), group_ids=(os.getegid(),)), True),
        (Policy(user_ids=(54321,), group_ids=(54321,)), False),
    ],
)
def test_a_unix_peer_is_known_by_user_and_group(policy, allowed):
    here, there = socket.socketpair()
    with here, there:
        peer = peer_of(here, policy)
    assert (not peer.refusal) is allowed
    assert f"pid={os.getpid()}" in peer.shown


@pytest.mark.parametrize(("networks", "allowed"), [(("127.0.0.0/8",), True), (("10.0.0.0/8",), False)])
def test_a_tcp_peer_is_known_by_its_network(networks, allowed):
    policy = Policy.model_validate({"client_networks": networks})
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
        server.accept()[0] as there,
    ):
        peer = peer_of(there, policy)
    assert (not peer.refusal) is allowed


class TestStrangers:
    @pytest.fixture
    def policy(self):
        return Policy(user_ids=(), group_ids=())

    async def test_a_stranger_gets_a_reason_and_never_reaches_the_engine(self, guard: Guard):
        reply = await guard.ask("GET", "/_ping")
        assert (reply.status, "may not connect" in reply.message) == (403, True)
        assert guard.engine.asked == []
        assert guard.lines[0]["rule"] == "peer"


def admitted(crowd: Crowd, exits: ExitStack, peer: Peer) -> int:
    """Connect as often as a client may; return how often that was."""
    number = 0
    with suppress(Refusal):
        while True:
            exits.enter_context(crowd.admitted(peer))
            number += 1
    return number


def test_a_client_gets_half_of_what_the_others_leave():
    crowd = Crowd(Policy(connections=64))
    with ExitStack() as exits:
        numbers = [admitted(crowd, exits, Peer(str(n), "")) for n in range(7)]
        assert numbers == [32, 16, 8, 4, 2, 1, 0]
        assert crowd.size == 63
    assert crowd.size == 0
    with ExitStack() as exits:
        assert admitted(crowd, exits, ME) == 32


async def test_bytes_are_counted_for_each_client_until_its_request_ends():
    crowd = Crowd(Policy(held_bytes=40))
    with crowd.share(ME, Leaving()) as mine, crowd.share(OTHER, Leaving()) as another:
        mine.take(18)
        with pytest.raises(Refusal):
            mine.take(3)
        another.take(11)
        with pytest.raises(Refusal):
            another.take(1)
        mine.give_back(18)
        another.take(9)
    with crowd.share(ME, Leaving()) as mine:
        mine.take(20)


async def test_long_lived_answers_are_counted_until_they_end():
    crowd = Crowd(Policy(streams=2))
    with crowd.share(ME, Leaving()) as first, crowd.share(ME, Leaving()) as second:
        first.last()
        with pytest.raises(Refusal):
            second.last()
    with crowd.share(ME, Leaving()) as third:
        third.last()


def test_a_socket_that_nobody_serves_is_replaced_and_one_that_is_served_is_not(tmp_path):
    address = f"unix://{tmp_path / 'g.sock'}"
    open_listener(address).close()
    with open_listener(address), pytest.raises(ConfigurationError, match="another process"):
        open_listener(address)


@pytest.mark.parametrize(
    "listen", ["", "unix://relative", "tcp://x", "http://a:1", "tcp://:1", "tcp://a:70000"]
)
def test_refuses_an_address_of_another_form(listen):
    with pytest.raises(ConfigurationError):
        open_listener(listen)
