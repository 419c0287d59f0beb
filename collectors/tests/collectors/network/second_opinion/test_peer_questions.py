"""What answers of peers show, and what only resembles them."""

import pytest
from asking import ask
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import protocol_bytes, protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding

HEADER = b"\1\0\0\x78\x20\0\1\1" + bytes(4) + b"disc\0\0\0\1"
CODE = b"\0\0\1\x0c\x40\0\0\x0c\0\0\x0b\xc2"
WHY = b"\0\0\1\x19\0\0\0\x1dDIAMETER_UNKNOWN_PEER\0\0\0"
NAME = b"\0\0\1\x08\x40\0\0\x17aaa.example.org\0"
PRODUCT = b"\0\0\1\x0d\0\0\0\x14freeDiameter"


@pytest.mark.parametrize(
    ("name", "answer", "product"),
    [
        ("diameter", HEADER + CODE + WHY + NAME, "freeDiameter"),
        ("diameter", HEADER + CODE + NAME + PRODUCT, "freeDiameter"),
        ("diameter", HEADER + CODE + NAME, ""),
        ("diameter", HEADER + CODE + NAME + WHY, ""),
        ("wormhole-transit", b"impatient\n", "Magic Wormhole transit relay"),
    ],
)
def test_an_answer_shows_what_it_is(name, answer, product):
    assert protocol_questions.read(protocol_questions.named(name), answer) == Finding(name, product)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("diameter", HEADER.replace(b"\x20\0\1\1", b"\xa0\0\1\1") + CODE),
        ("diameter", HEADER.replace(b"disc", b"some") + CODE),
        ("wormhole-transit", b"bad handshake\n"),
        ("wormhole-transit", b"impatient\nclient"),
    ],
)
def test_what_resembles_it_does_not(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None


def test_the_request_announces_its_own_length_and_whole_attributes():
    request = protocol_bytes.DIAMETER
    assert int.from_bytes(request[1:4]) == len(request)
    place = 20
    while place < len(request):
        place += -(-int.from_bytes(request[place + 5 : place + 8]) // 4) * 4
    assert place == len(request)


@pytest.mark.parametrize(
    ("more", "expected"), [(b"impatient\n", "Magic Wormhole transit relay"), (b"bad handshake\n", None)]
)
async def test_a_bad_handshake_is_anybodys(more, expected):
    async def serve(reader, writer):
        said = await reader.read(4096)
        writer.write(more if said.startswith(b"please relay ") else b"bad handshake\n")
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number), answer=0.3, seconds=3)
    assert (found.product if found else None) == expected
