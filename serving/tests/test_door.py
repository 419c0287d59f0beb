"""The door: what is refused of a head, and that the service's own admission comes next and ends."""

import pytest


def request(method=b"GET", target=b"/alive", *headers):
    lines = (method + b" " + target + b" HTTP/1.1", b"Host: a", b"Connection: close", *headers)
    return b"\r\n".join((*lines, b"", b""))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(), 200),
        (request(b"BREW"), 501),
        (request(b"A" * 4000), 501),
        (request(b"get"), 501),
        (request(b"GET", b"/alive?" + b"q" * 9_000), 414),
        (request(b"GET", b"/alive", *[b"X%d: 1" % number for number in range(200)]), 431),
        (request(b"GET", b"/closed"), 403),
        (request(b"BREW", b"/closed"), 501),
    ],
)
async def test_a_head_is_judged_before_anything_else(wire, sent, status):
    assert int((await wire.ask(sent)).split(b" ", 2)[1]) == status
