"""The order of questions to one port: HTTP and what comes with it, TLS, then the other protocols."""

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import http_interview
from discovery_collectors.collectors.network.second_opinion.exchange import Ending, Questioner
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer

_TLS_ALERT = b"\x15\x03"
_TLS_NAMES = frozenset({"https", "ssl", "https-alt"})


async def interview(questioner: Questioner, port: Port) -> Finding | None:
    """Return what the service at `port` gives away; None when it stays unknown."""
    if port.tls or (port.probed and port.name in _TLS_NAMES):
        questioner.tls = True
    found = await _ask_http(questioner)
    if found is not None or questioner.tls:
        return found
    questioner.tls = True
    return await _ask_http(questioner)


async def _ask_http(questioner: Questioner) -> Finding | None:
    answer = await http_interview.ask_page(questioner)
    page = HttpAnswer.read(answer.content)
    if page is not None and not (not questioner.tls and http_interview.wants_tls(page)):
        return await http_interview.identify(questioner, page)
    if questioner.tls and answer.ending is not Ending.NO_TLS and answer.certificate is not None:
        return Finding("ssl", tls=True)
    return None
