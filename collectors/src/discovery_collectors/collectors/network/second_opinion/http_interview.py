"""Finds out what serves HTTP at a port: by its first page, where that leads, and at most five more."""

import re

from discovery_collectors.collectors.network.second_opinion import http_answer
from discovery_collectors.collectors.network.second_opinion.exchange import Answer, Questioner
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer
from discovery_collectors.collectors.network.second_opinion.http_signs import (
    BUILD_INFO,
    EXPORTER,
    METRICS,
    SIGNS,
    HttpSign,
)
from discovery_collectors.collectors.network.second_opinion.openstack_names import openstack
from discovery_collectors.collectors.network.second_opinion.page_names import described, states, versioned
from discovery_collectors.collectors.network.second_opinion.products import is_library, read_server

_ELSEWHERE = ("/metrics", "/version", "/v2/", "/status")
"""Paths requested of a server whose first page says nothing: metrics of Prometheus, versions of etcd and
Kubernetes, container registries, status pages."""
_OF_BARE = ("/adv",)
"""Path requested of a server whose first page has no header but its length: Tang's keys."""
_FASTAPI_NOT_FOUND = '{"detail":"Not Found"}'
_DESCRIPTION = "/openapi.json"
"""Where FastAPI's applications describe their interface, unless told otherwise, and state their name."""
_FALCON_NOT_FOUND = '{"title": "404 Not Found"}'
_MAILMAN = "/3.1"
"""Where the interface of GNU Mailman 3 begins, which is made with Falcon and asks for a login there."""
_NO_REQUEST = b"GET\r\n\r\n"
_REFUSALS = {
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n": ("Node.js", ()),
    b"HTTP/1.1 400 Bad Request\r\n\r\n": ("Unicorn", ("date", "connection")),
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"400 Bad Request": ("Golang net/http server", ()),
}
"""How what is no request is refused → the library that does so, and the headers with which its pages begin:
Tornado refuses as Unicorn does. Each states a page's date, and that it closes the connection; Bun, which
refuses as Node.js does, states the first only."""
_SHORT_PAGE = 200
_REDIRECTS = 3
"""Prometheus under a path of its own redirects to the path, to its folder, and to its first page."""
_FOREMOST = frozenset({"via", "x-varnish", "x-squid-error"})
"""Headers of a proxy that passes the Server header of others on."""
_WANTS_TLS = re.compile(
    r"HTTPS port|HTTP request to an HTTPS server|requires TLS|SSL-enabled server port", re.IGNORECASE
)
_GO_NOT_FOUND = "404 page not found\n"
_GO_ERRORS = frozenset({"Unauthorized\n", "Forbidden\n", "Not Found\n", "Method Not Allowed\n"})
"""Usual texts that programs in Go hand to `http.Error`, which ends them with a line feed."""


async def ask_page(questioner: Questioner, path: str = "/", *, in_a_hurry: bool = False) -> Answer:
    """Request one page."""
    question = http_answer.request(questioner.address, path)
    return await questioner.ask(question, whole=http_answer.is_whole, in_a_hurry=in_a_hurry)


def wants_tls(page: HttpAnswer) -> bool:
    """Return whether `page` is the complaint of a server that speaks only TLS about a plain request."""
    return page.status == 400 and _WANTS_TLS.search(page.body[:2000]) is not None


async def named_by_refusal(questioner: Questioner, page: HttpAnswer) -> Finding | None:
    """Return what refuses a request without `Host`, where its page says so and no header names a server."""
    found = None if "server" in page.headers else await _named(questioner, page)
    return None if found is None else Finding("http", *found, tls=questioner.tls)


async def identify(questioner: Questioner, page: HttpAnswer) -> Finding:
    """Return what serves `page`, its first one; with a product where it names one."""
    found = await _named(questioner, page)
    led_to = page
    for _ in range(_REDIRECTS):
        path = led_to.redirect(questioner.address, questioner.port)
        if found is not None or not path:
            break
        led_to = HttpAnswer.read((await ask_page(questioner, path)).content) or led_to
        found = await _named(questioner, led_to)
    if found is None and _says_nothing(page):
        for path in _elsewhere(page):
            found = await _ask_named(questioner, path)
            if found is not None:
                break
    library, library_version = _library(page)
    if found is None:
        stated = (library, library_version) if library else states(led_to)
        found = None if any(stated) else await _complaint(questioner, page)
        return Finding("http", *(found or stated), tls=questioner.tls)
    product, version = found
    behind = f"{library} {library_version}".strip() if is_library(library) else ""
    return Finding("http", product, version, behind, tls=questioner.tls)


async def _complaint(questioner: Questioner, page: HttpAnswer) -> tuple[str, str] | None:
    """Return what a server calls itself, or shows that it is, when it refuses what is no request."""
    answer = await questioner.ask(_NO_REQUEST, whole=http_answer.is_whole)
    library, first = _REFUSALS.get(answer.content, ("", ()))
    if (
        library
        and {"date", "connection"} <= page.headers.keys()
        and tuple(page.headers)[: len(first)] == first
    ):
        return library, ""
    refusal = HttpAnswer.read(answer.content)
    return None if refusal is None else await _named(questioner, refusal)


async def _ask_named(questioner: Questioner, path: str) -> tuple[str, str] | None:
    page = HttpAnswer.read((await ask_page(questioner, path)).content)
    return None if page is None else await _named(questioner, page)


async def _named(questioner: Questioner, page: HttpAnswer) -> tuple[str, str] | None:
    """Return product and version: by a sign of the table, a header that states them, or metrics."""
    server, server_version = read_server(page.headers.get("server", ""))
    named_by_server = bool(server) and not is_library(server)
    for sign, pattern, version_pattern in SIGNS:
        if named_by_server and sign.where != "server" and sign.where not in _FOREMOST:
            continue
        fits = pattern.search(page.part(sign.where))
        if fits is not None:
            version = fits.groupdict().get("version") or ""
            return sign.product, version or await _version(questioner, page, sign, version_pattern)
    if named_by_server:
        return server, server_version
    if service := openstack(page):
        return service, ""
    stated = versioned(page)
    if not any(stated):
        stated = described(page)
    return stated if any(stated) else await _scraped(questioner, page)


async def _version(questioner: Questioner, page: HttpAnswer, sign: HttpSign, pattern: re.Pattern[str]) -> str:
    if not sign.version:
        return ""
    body = page.body
    if sign.at:
        answer = HttpAnswer.read((await ask_page(questioner, sign.at)).content)
        body = answer.body if answer is not None else ""
    found = pattern.search(body)
    return found["version"] if found is not None else ""


async def _scraped(questioner: Questioner, page: HttpAnswer) -> tuple[str, str] | None:
    """Return what Prometheus would scrape there: an exporter, or a program with metrics of its own."""
    exporter = EXPORTER.match(page.title)
    if exporter is not None and "build_info" not in page.body:
        answer = HttpAnswer.read((await ask_page(questioner, "/metrics")).content)
        metrics = answer.part("text") if answer is not None else ""
        if METRICS.search(metrics) or METRICS.search(page.body):
            info = BUILD_INFO.search(metrics)
            return f"Prometheus exporter {exporter['product']}", info["version"] if info is not None else ""
    info = BUILD_INFO.search(page.part("text"))
    return None if info is None else (info["product"], info["version"])


def _library(page: HttpAnswer) -> tuple[str, str]:
    """Return the library that serves a program: by its headers, or by Go's words for an error."""
    name, version = read_server(page.headers.get("server", ""))
    if name:
        return name, version
    made_with, version = read_server(page.headers.get("x-powered-by", ""))
    if made_with.lower() == "express":
        return "Node.js Express framework", version
    if made_with.lower() == "php":
        return "PHP cli server", version
    return ("Golang net/http server", "") if _is_of_go(page) else ("", "")


def _is_of_go(page: HttpAnswer) -> bool:
    """Return whether Go's library wrote the page: its 404, or what `http.Error` makes of a usual text."""
    if page.body == _GO_NOT_FOUND:
        return True
    plain = page.headers.get("content-type") == "text/plain; charset=utf-8"
    return plain and page.headers.get("x-content-type-options") == "nosniff" and page.body in _GO_ERRORS


def _elsewhere(page: HttpAnswer) -> tuple[str, ...]:
    """Return the paths at which a server whose first page says nothing may name itself."""
    if page.headers.keys() <= {"content-length"}:
        return _OF_BARE
    of_framework = {_FASTAPI_NOT_FOUND: (_DESCRIPTION,), _FALCON_NOT_FOUND: (_MAILMAN,)}
    return (*of_framework.get(page.body, ()), *_ELSEWHERE)


def _says_nothing(page: HttpAnswer) -> bool:
    if {"server", "x-powered-by"} & page.headers.keys():
        # A program behind a library that serves something, but nothing here.
        return page.status == 404
    return page.status in {401, 404} or len(page.body) < _SHORT_PAGE
