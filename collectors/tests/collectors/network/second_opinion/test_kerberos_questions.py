"""What answers of Kerberos's services show, and what only resembles them."""

import pytest

from discovery_collectors.collectors.network.second_opinion import protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding

TOO_LONG = bytes.fromhex(
    "0000005d 7e5b 3059 a003020105 a10302011e a411180f32303236313230313133333332395a"
    "a50502030a4039 a60302013d a90f1b0d42454e43482e4558414d504c45"
)
OF_KADMIND = bytes.fromhex("aa1d301b a003020101 a1143012 1b066b61646d696e 1b086368616e67657077")
DENIED = b"\x80\0\0\x14disc\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0"


@pytest.mark.parametrize(
    ("name", "answer", "product"),
    [
        ("kpasswd5", TOO_LONG + OF_KADMIND, "MIT Kerberos"),
        ("kpasswd5", TOO_LONG + b"\xaa\x180\x16\xa0\3\2\1\2\xa1\x0f0\r\x1b\6krbtgt\x1b\3X.Y", ""),
        ("kerberos-adm", DENIED + b"\5", "MIT Kerberos"),
    ],
)
def test_an_answer_shows_what_it_is(name, answer, product):
    question = protocol_questions.named(name)
    assert protocol_questions.read(question, answer) == Finding(name, product)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        # Another error, another reason to deny, and a program that is not there.
        ("kpasswd5", TOO_LONG.replace(b"\xa6\3\2\1\x3d", b"\xa6\3\2\1\x3c") + OF_KADMIND),
        ("kerberos-adm", DENIED + b"\1"),
        ("kerberos-adm", b"\x80\0\0\x18disc\0\0\0\1" + bytes(15) + b"\1"),
    ],
)
def test_what_resembles_it_does_not(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None
