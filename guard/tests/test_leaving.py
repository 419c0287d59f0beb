"""A client's leaving is noticed whatever lies before it."""

import socket

from docker_guard.leaving import Leaving


async def test_who_closes_a_connection_or_ends_its_side_has_left():
    for leave in (socket.socket.close, lambda client: client.shutdown(socket.SHUT_WR)):
        client, own = socket.socketpair()
        with client, own:
            leaving = Leaving(own)
            client.send(b"x" * 1000)
            assert not leaving.has_happened()
            leave(client)
            assert leaving.has_happened()


async def test_a_connection_that_is_closed_here_already_is_left():
    client, own = socket.socketpair()
    with client:
        leaving = Leaving(own)
        own.close()
        assert leaving.has_happened()
        assert not leaving.noticed.done()
