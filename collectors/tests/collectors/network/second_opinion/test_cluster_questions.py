"""What answers of clusters' services show, and what only resembles them."""

import pytest

from discovery_collectors.collectors.network.second_opinion import protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding

PREINIT_REPLY = b"\0\1\0\0\0\x0a\0\2\0\1\1\0\3\0\1\1"


@pytest.mark.parametrize(
    ("name", "answer", "product"),
    [
        ("corosync-qnet", PREINIT_REPLY, "Corosync QNet daemon"),
        ("serf-rpc", b"\x82\xa5Error\xa0\xa3Seq\x01", "HashiCorp Serf"),
        ("serf-rpc", b"\x82\xa5Error\xb7Unsupported IPC version\xa3Seq\x01", "HashiCorp Serf"),
        # Many programs carry the library that answers, packed or not; it names none of them.
        ("memberlist", b"\x09\x82\xa4Algo\0\xa3Buf\xb7\0\5\x08:\5%L", ""),
        ("memberlist", b"\x02\x82\xa7Payload\xc4\x02ok\xa5SeqNo\x07", ""),
    ],
)
def test_an_answer_shows_what_it_is(name, answer, product):
    question = protocol_questions.named(name)
    assert protocol_questions.read(question, answer) == Finding(name, product)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("corosync-qnet", PREINIT_REPLY[:-1] + b"\7"),
        ("corosync-qnet", PREINIT_REPLY + b"x"),
        ("serf-rpc", b"\x82\xa5Error\xa0\xa3Seq\x02"),
        ("memberlist", b"\x02\x82\xa7Payload\xc4\x02ok\xa5SeqNo\x08"),
    ],
)
def test_what_resembles_it_does_not(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None
