import asyncio

import pytest

from discovery_collectors.collectors.network import unanswered_questions
from discovery_collectors.collectors.network.nmap_process import Asked, Understood
from discovery_collectors.collectors.network.unanswered_questions import UnansweredQuestions
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["10.0.0.0/24"]).admit("10.0.0.3")


@pytest.mark.parametrize(
    ("asked", "shows_silence"),
    [
        ([("NULL", 0.0), ("GetRequest", 0.5), ("RTSPRequest", 3.5)], [False, False, True]),
        ([("GetRequest", 0.5), ("GenericLines", 0.6), ("TLSSessionReq", 0.7)], [False, False, True]),
        ([("GenericLines", 0.5), ("GetRequest", 2.0), ("SSLSessionReq", 2.1)], [False, False, False]),
        ([("GenericLines", 0.5), ("SSLSessionReq", 9.0)], [False, False]),
    ],
    ids=["waits at a page's question", "breaks off at all three", "may know TLS", "was not asked for a page"],
)
def test_silence_shows_before_nmap_gives_up(monkeypatch, asked, shows_silence):
    now = [0.0]
    monkeypatch.setattr(unanswered_questions.time, "monotonic", lambda: now[0])
    questions = unanswered_questions._Questions()
    shown = []
    for probe, now[0] in asked:
        shown.append(questions.show_silence(probe))
    assert shown == shows_silence


@pytest.mark.parametrize(
    ("asked", "spared", "waits"),
    [
        (["NULL", "GenericLines"], False, True),
        (["GenericLines", "GetRequest"], False, False),
        (["NULL"], False, False),
        (["NULL", "GenericLines"], True, False),
    ],
    ids=["leaves lines unanswered", "was asked on", "was asked no lines", "a controller"],
)
async def test_what_leaves_empty_lines_unanswered_may_wait_for_tls(monkeypatch, asked, spared, waits):
    monkeypatch.setattr(unanswered_questions, "_WAITING_SECONDS", 0.01)
    waiting = []
    batch = {ADDRESS: frozenset({443, 64738})}
    questions = UnansweredQuestions(
        batch, lambda *_: None, lambda *port: waiting.append(port), lambda _: spared
    )
    for probe in asked:
        questions.take(Asked("10.0.0.3", 64738, probe))
    # Another run's, which passes it on itself.
    questions.take(Asked("10.0.0.3", 8443, "GenericLines"))
    await asyncio.sleep(0.05)
    assert waiting == [(ADDRESS, 64738)] * waits


async def test_what_answers_empty_lines_is_not_taken_for_one_that_waits(monkeypatch):
    monkeypatch.setattr(unanswered_questions, "_WAITING_SECONDS", 0.01)
    waiting = []
    batch = {ADDRESS: frozenset({11211, 64738})}
    questions = UnansweredQuestions(batch, lambda *_: None, lambda *port: waiting.append(port))
    for number in (11211, 64738):
        questions.take(Asked("10.0.0.3", number, "GenericLines"))
    questions.hear(Understood("10.0.0.3", 11211))
    await asyncio.sleep(0.05)
    assert waiting == [(ADDRESS, 64738)]


async def test_nothing_is_passed_on_when_nmap_has_ended(monkeypatch):
    monkeypatch.setattr(unanswered_questions, "_WAITING_SECONDS", 0.01)
    waiting = []
    batch = {ADDRESS: frozenset({64738})}
    questions = UnansweredQuestions(batch, lambda *_: None, lambda *port: waiting.append(port))
    questions.take(Asked("10.0.0.3", 64738, "GenericLines"))
    questions.close()
    await asyncio.sleep(0.05)
    assert not waiting
