"""What answers of log servers show, and what only resembles them."""

import pytest
from asking import ask
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.products import is_settled

OPENED = (
    b"1 rsp 93 200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\n"
    b"commands=syslog\n"
)
INVALID = b"HTTP/1.1 400 Invalid Request\r\n\r\n"
COUNTS = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: R3Kq0snxWKxQaRrPTEjk8WX1OqY=\r\n\r\n"
    b'\x81\x7e\x1cv{"general": {"start_date": "01/Dec/2026","end_date": "01/Dec/2026"'
)


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("relp", OPENED, Finding("relp", "librelp", "1.11.0")),
        ("relp", b"1 rsp 44 500 required command not supported by client\n", Finding("relp")),
        ("relp", OPENED.replace(b"librelp,1.11.0", b"another,2.0"), Finding("relp")),
        ("goaccess", COUNTS, Finding("http", "GoAccess")),
    ],
)
def test_an_answer_shows_what_it_is(name, answer, expected):
    assert protocol_questions.read(protocol_questions.named(name), answer) == expected


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("relp", b"2" + OPENED[1:]),
        ("relp", b"1 rsp 6 200 OK\n"),
        ("goaccess", INVALID),
        ("goaccess", COUNTS.replace(b"general", b"details")),
        ("goaccess", COUNTS.replace(b" 101 ", b" 200 ")),
    ],
)
def test_what_resembles_it_does_not(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None


@pytest.mark.parametrize(
    ("opening", "more", "product"),
    [
        (b"1 open ", OPENED, "librelp"),
        (b"GET / HTTP/1.1\r\nHost: discovery\r\nUpgrade: ", COUNTS, "GoAccess"),
    ],
)
@pytest.mark.parametrize("refusal", [b"0 serverclose 0\n", INVALID])
async def test_a_refusal_leads_to_the_question_and_is_no_name_without_its_answer(
    opening, more, product, refusal
):
    async def serve(reader, writer):
        said = await reader.read(4096)
        writer.write(more if said.startswith(opening) else refusal)
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number), answer=0.3, seconds=3)
    asked = {b"0 serverclose 0\n": "librelp", INVALID: "GoAccess"}[refusal]
    assert (found.product if found else "") == (product if product == asked else "")


def test_the_protocols_name_is_no_product():
    assert not is_settled(Port(2514, "relp", probed=True, product="Reliable Event Logging Protocol"))
