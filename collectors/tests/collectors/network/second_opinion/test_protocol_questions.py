"""Which questions a port is asked, in which order, and what they ask."""

import struct

import pytest

from discovery_collectors.collectors.network.second_opinion import protocol_bytes, protocol_questions
from discovery_collectors.collectors.network.second_opinion.protocol_table import QUESTIONS


def names(port: int) -> list[str]:
    return [each.name for each in protocol_questions.in_order(port, again=False)]


@pytest.mark.parametrize("port", [14949, 24949, 4950, 4959])
def test_a_port_beside_a_usual_one_is_asked_its_question_first(port):
    assert names(port)[0] == "munin"


@pytest.mark.parametrize(("port", "name"), [(34007, "glusterd"), (32067, "bep-relay")])
def test_a_port_10000_above_a_usual_one_of_five_digits_is_asked_its_question_first(port, name):
    assert names(port)[0] == name


@pytest.mark.parametrize("port", [4949, 14950, 4951, 5949])
def test_a_question_of_usual_ports_is_asked_nowhere_else(port):
    assert "munin" not in names(port)


@pytest.mark.parametrize("port", [9000, 9001, 19000])
def test_php_is_asked_before_chats_where_it_mostly_listens(port):
    asked = [each.name for each in protocol_questions.in_order(port, again=True)]
    assert asked.index("fastcgi") < asked.index("weechat")


@pytest.mark.parametrize(
    ("port", "expected"),
    [(10050, ["zabbix"]), (20051, ["zabbix", "zabbix-trapper"]), (5433, ["postgresql"]), (41000, [])],
)
def test_a_port_suggests_what_listens_there_or_was_moved_there(port, expected):
    suggested = [each.name for each in protocol_questions.suggested(port)]
    assert suggested[: len(expected)] == expected
    assert bool(suggested) is bool(expected)
    assert len(suggested) == len(set(suggested))


def test_no_port_is_asked_the_same_twice():
    for port in (443, 5433, 15432, 15666, 5667, 64738):
        asked = [each.name for each in protocol_questions.in_order(port, again=True, uncertified=True)]
        assert len(asked) == len(set(asked))


def test_an_association_is_asked_for_in_the_lengths_that_it_announces():
    request = protocol_bytes.dicom()
    assert struct.unpack("!BxI", request[:6]) == (1, len(request) - 6)
    place, kinds = 74, []
    while place < len(request):
        kind, length = struct.unpack("!BxH", request[place : place + 4])
        kinds.append(kind)
        place += 4 + length
    assert (kinds, place) == ([0x10, 0x20, 0x50], len(request))


def test_no_question_carries_a_password_and_none_is_long():
    for question in QUESTIONS:
        for sent in question.send:
            assert 0 < len(sent) <= 1100, question.name
            lowered = sent.lower()
            for word in (b"auth ", b"pass", b"login", b"user ", b"set ", b"delete", b"drop", b"shutdown"):
                assert word not in lowered, question.name
