"""All tables of signs together: hostile text is read in bounded time, and no question answers itself."""

import time

import pytest

from discovery_collectors.collectors.network.second_opinion import (
    banner_signs,
    http_signs,
    protocol_questions,
)
from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer
from discovery_collectors.collectors.network.second_opinion.protocol_table import QUESTIONS

HOSTILE = [
    b"A" * 65536,
    b'"version": ' * 6000,
    b"<title>" * 9000,
    b"\0\x10\0\x03" * 16000,
    b"220 " + b"a " * 32000,
    b"* OK " + b"IMAP" * 16000,
    b'x_build_info{a="' * 4000,
    b"\x02version\0" * 7000,
    b"1." * 32000,
    b"redis_version:1" * 4369,
    b"\n" * 65536,
    (b"a" * 200 + b"\n") * 300,
    b"Gophered by " * 5000,
    b"<footer>" * 8000,
    b"<a href=/varz" * 5000,
    b"ICAP/1.0 400 x\r\n" + b"a\r\n" * 30000,
    b"\x80\0\1\x88disc\0\0\0\1" + bytes(65000),
    b'{"status":"error","error":"' * 2500,
    b":irc CAP * LS " + b" :" * 32000,
    b"E\0\0\0\0SFATAL\0" * 6000,
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_all_patterns_together_read_a_hostile_answer_within_a_second(content):
    text = content.decode("latin-1")
    began = time.process_time()
    banner_signs.recognise(content)
    for question in QUESTIONS:
        protocol_questions.read(question, content)
    for _, pattern, version in http_signs.SIGNS:
        pattern.search(text)
        version.search(text)
    http_signs.EXPORTER.match(text)
    http_signs.BUILD_INFO.search(text)
    HttpAnswer.read(b"HTTP/1.1 200 OK\r\n\r\n" + content)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("question", QUESTIONS, ids=[each.name for each in QUESTIONS])
def test_a_question_sent_back_answers_nothing(question):
    for sent in question.send:
        for content in (sent, sent * 2, sent + b"\r\n"):
            assert protocol_questions.read(question, content) is None


def test_a_sign_that_asks_for_a_page_has_a_pattern_for_it():
    for sign, _, _ in http_signs.SIGNS:
        assert not sign.at or (sign.version and sign.at.startswith("/")), sign
        assert "(?P<version>" in sign.pattern + sign.version or not sign.at
