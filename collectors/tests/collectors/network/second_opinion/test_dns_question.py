"""How name servers answer the names by which they differ: real answers, version hidden."""

import pytest

from discovery_collectors.collectors.network.second_opinion import protocol_questions
from discovery_collectors.collectors.network.second_opinion.dns_question import DNS_QUESTION
from discovery_collectors.collectors.network.second_opinion.findings import Finding

TEXT = b"\0\0\x10\0\3"
BIND, PDNS, UNBOUND = (
    name + TEXT for name in (b"\7version\4bind", b"\7version\4pdns", b"\x0btrustanchor\7unbound")
)
SOA = (
    bytes.fromhex("c00c 0006 0003 00015180 0023 c00c 0a")
    + b"hostmaster"
    + bytes.fromhex("c00c 00000000 00007080 00001c20 00093a80 00015180")
)
OWN_TEXT = b"\xc0\x0c\0\x10\0\3" + bytes(4) + b"\0\x0a\x09not today"


def message(
    identity: bytes, flags: str, question: bytes, rest: bytes = b"", counts: str = "0000 0000"
) -> bytes:
    """Return one answer as TCP carries it: its length, its header, the question, what else is in it."""
    header = identity + bytes.fromhex(flags + "0001" + counts + "0000")
    whole = header + question + rest
    return len(whole).to_bytes(2) + whole


REFUSED = message(b"JJ", "8085", BIND)
REFUSED_PDNS = message(b"JK", "8085", PDNS)
REFUSED_UNBOUND = message(b"JL", "8085", UNBOUND)
HIDDEN_BIND = message(b"JJ", "8400", BIND, SOA, "0000 0001")
RENAMED_BIND = message(
    b"JJ", "8400", BIND, OWN_TEXT + bytes.fromhex("c00c 0002 0003 00000000 0002 c00c"), "0001 0001"
)
ANCHOR = b"\xc0\x0c\0\x10\0\3" + bytes(4) + b"\0\x08\x07. 20326"


@pytest.mark.parametrize(
    ("answer", "product"),
    [
        (HIDDEN_BIND + message(b"JK", "8005", PDNS) + message(b"JL", "8005", UNBOUND), "ISC BIND"),
        (RENAMED_BIND + message(b"JK", "8005", PDNS) + message(b"JL", "8005", UNBOUND), "ISC BIND"),
        (REFUSED + REFUSED_PDNS + message(b"JL", "8080", UNBOUND), "Unbound"),
        (REFUSED + REFUSED_PDNS + message(b"JL", "8080", UNBOUND, ANCHOR, "0001 0000"), "Unbound"),
        (
            message(b"JJ", "8402", BIND) + message(b"JK", "8402", PDNS) + message(b"JL", "8405", UNBOUND),
            "PowerDNS Authoritative Server",
        ),
        (
            message(b"JJ", "8400", BIND, OWN_TEXT, "0001 0000")
            + message(b"JK", "8400", PDNS, OWN_TEXT, "0001 0000")
            + message(b"JL", "8405", UNBOUND),
            "PowerDNS Authoritative Server",
        ),
    ],
)
def test_a_name_server_that_hides_its_version_is_known_by_its_own_names(answer, product):
    assert protocol_questions.read(DNS_QUESTION, answer) == Finding("domain", product)


@pytest.mark.parametrize(
    "answer",
    [
        REFUSED + REFUSED_PDNS + REFUSED_UNBOUND,
        message(b"JJ", "8005", BIND) + message(b"JK", "8005", PDNS) + message(b"JL", "8005", UNBOUND),
        message(b"JJ", "8080", BIND) + message(b"JK", "8080", PDNS) + message(b"JL", "8080", UNBOUND),
        message(b"JJ", "8402", BIND) + message(b"JK", "8402", PDNS) + message(b"JL", "8402", UNBOUND),
        message(b"JJ", "8400", BIND, OWN_TEXT, "0001 0000") + REFUSED_PDNS + REFUSED_UNBOUND,
        REFUSED,
    ],
    ids=["refuses all", "NSD", "knows all", "fails at all", "another's text", "answers once"],
)
def test_who_answers_all_names_alike_stays_unnamed(answer):
    assert protocol_questions.read(DNS_QUESTION, answer) == Finding("domain")


def test_each_of_the_three_messages_has_the_length_that_it_announces():
    (question,) = DNS_QUESTION.send
    identities = []
    while question:
        length = int.from_bytes(question[:2])
        identities.append(question[2:4])
        assert question[2 : 2 + length].endswith(TEXT)
        question = question[2 + length :]
    assert identities == [b"JJ", b"JK", b"JL"]
