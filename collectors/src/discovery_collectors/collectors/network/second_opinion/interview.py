"""The order of questions to one port: what it is meant for, HTTP, TLS, then the other protocols."""

import asyncio
from dataclasses import replace
from itertools import batched

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import (
    banner_signs,
    certificate_signs,
    http_interview,
    protocol_questions,
)
from discovery_collectors.collectors.network.second_opinion.exchange import Answer, Ending, Questioner
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer
from discovery_collectors.collectors.network.second_opinion.products import read_server
from discovery_collectors.collectors.network.second_opinion.protocol_question import ProtocolQuestion
from discovery_collectors.collectors.network.spared_ports import PRINTERS_OWN

_TLS_ALERT = b"\x15\x03"
_TLS_NAMES = frozenset({"https", "ssl", "https-alt"})
_HTTP_NAMES = frozenset({"http", "https", "https-alt", "http-proxy", "upnp"})
_PLAINEST = b"GET / HTTP/1.0\r\n\r\n"
"""For what may not speak HTTP at all: a `Host:` line makes Redis log an attack."""


async def ask_suggested(questioner: Questioner, port: Port) -> Finding | None:
    """Return what the service at `port` says in the protocols that its number suggests, and nothing else."""
    for question in protocol_questions.suggested(port.number):
        found = await _ask(questioner, question)
        if found is not None and found.product:
            return found
    return None


async def interview(questioner: Questioner, port: Port) -> Finding | None:
    """Return what the service at `port` gives away; None when it stays unknown."""
    questioner.tls = port.tls or (port.probed and port.name in _TLS_NAMES)
    unnamed: Finding | None = None
    for question in _expected(port):
        found = await _ask(questioner, question)
        if found is not None and (found.product or not found.refuted):
            return found
        # Another product speaks the protocol; its other answers may name it.
        unnamed = unnamed or found
    is_http = port.probed and port.name in _HTTP_NAMES
    first = await _open(questioner, is_http=is_http)
    if first.ending is Ending.CLOSED and not first.content and not questioner.tls:
        # A greeting is lost where the question makes the service break the connection.
        first = await questioner.ask(b"")
    if port.number == PRINTERS_OWN and HttpAnswer.read(first.content) is None:
        # It may be a printer all the same: one page at most.
        return None
    found = await _understand(questioner, first, is_http=is_http)
    if found is None and not questioner.tls and _may_be_tls(first):
        questioner.tls = True
        first = await _open(questioner, is_http=True)
        if first.ending is Ending.NO_TLS:
            questioner.tls = False
        else:
            found = await _understand(questioner, first, is_http=True)
    if found is None and first.ending is not Ending.UNREACHABLE:
        found = unnamed or await _ask_in_turn(questioner, port, first)
    return found if found is not None and (found.product or unnamed is None) else unnamed


def _expected(port: Port) -> list[ProtocolQuestion]:
    """Return the protocol that nmap heard; where it heard none, those that the port is meant for."""
    known = protocol_questions.named(port.name) if port.probed else None
    if known is not None:
        # What nmap heard may carry the port's protocol: GlusterFS's daemon speaks ONC RPC.
        return [known, *(each for each in protocol_questions.meant_for(port.number) if each is not known)]
    heard = port.probed and port.name in _HTTP_NAMES
    return [] if heard else protocol_questions.meant_for(port.number)


async def _open(questioner: Questioner, *, is_http: bool) -> Answer:
    return await http_interview.ask_page(questioner) if is_http else await questioner.ask(_PLAINEST)


async def _understand(questioner: Questioner, answer: Answer, *, is_http: bool) -> Finding | None:
    """Return what the first answer leads to: a banner's product, or what serves the page."""
    recognised = banner_signs.recognise(answer.content)
    if recognised is not None:
        sign, version = recognised
        question = protocol_questions.named(sign.ask)
        more = await _ask(questioner, question) if question is not None and not version else None
        if more is None and not sign.name:
            return None
        return more or Finding(sign.name, sign.product, version, tls=questioner.tls)
    page = HttpAnswer.read(answer.content)
    if page is not None and page.protocol != "http":
        return await _named_by_status(questioner, page)
    if page is not None and page.status >= 400 and not is_http:
        # A proxy that names itself is not asked for a page, which might be another's.
        refused = await http_interview.named_by_refusal(questioner, page)
        if refused is not None:
            return refused
        # Some servers require HTTP/1.1 with a Host header.
        page = HttpAnswer.read((await http_interview.ask_page(questioner)).content) or page
    if page is None or (not questioner.tls and http_interview.wants_tls(page)):
        return None
    return await http_interview.identify(questioner, page)


async def _named_by_status(questioner: Questioner, page: HttpAnswer) -> Finding:
    """Return what the protocol's own question shows; without one, what the header `Server` states."""
    question = protocol_questions.named(page.protocol)
    more = await _ask(questioner, question) if question is not None else None
    product, version = read_server(page.headers.get("server", ""))
    return more or Finding(page.protocol, product, version, tls=questioner.tls)


def _may_be_tls(answer: Answer) -> bool:
    if answer.ending in {Ending.UNREACHABLE, Ending.NO_TIME}:
        return False
    page = HttpAnswer.read(answer.content)
    return not answer.content or answer.content.startswith(_TLS_ALERT) or page is not None


async def _ask_in_turn(questioner: Questioner, port: Port, first: Answer) -> Finding | None:
    """Ask protocol by protocol, a few at once, until one answers or the port's time is up."""
    # A certificate of the product's own settles it: Mumble bans whoever connects ten times.
    found = certificate_signs.recognise(first.certificate)
    if found is not None:
        return found
    in_order = protocol_questions.in_order(
        port.number,
        again=questioner.tls and not port.tls,
        uncertified=questioner.tls and first.certificate is None,
    )
    for questions in batched(in_order, questioner.at_once, strict=False):
        if questioner.time_is_up:
            break
        answers = (_ask(questioner, question, in_a_hurry=True) for question in questions)
        found = next((each for each in await asyncio.gather(*answers) if each is not None), None)
        if found is not None:
            return found
    # Some servers do not answer a request without headers.
    page = None if first.content else await http_interview.ask_page(questioner, in_a_hurry=True)
    late = None if page is None else HttpAnswer.read(page.content)
    if late is not None and late.protocol == "http":
        return await http_interview.identify(questioner, late)
    return await _ask_beneath_tls(questioner) if questioner.tls else None


async def _ask_beneath_tls(questioner: Questioner) -> Finding:
    """Ask a service without TLS that says nothing through it.

    PostgreSQL begins with TLS at once from version 17 on, and drops clients that name no protocol there.
    """
    questioner.tls = False
    question = protocol_questions.named("postgresql")
    found = await _ask(questioner, question) if question is not None else None
    return found if found is not None and found.product else Finding("ssl", tls=True)


async def _ask(
    questioner: Questioner, question: ProtocolQuestion, *, in_a_hurry: bool = False
) -> Finding | None:
    heard_first = (b"",) if question.greeted else ()
    answer = await questioner.ask(
        *heard_first, *question.send, whole=question.whole, in_a_hurry=in_a_hurry, then_end=question.then_end
    )
    read = protocol_questions.read(question, answer.content) if answer.content else None
    return None if read is None else replace(read, tls=questioner.tls)
