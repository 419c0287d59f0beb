"""The collector `web`: titles, servers, frameworks, redirects, login pages and robots.txt of web servers."""

import importlib
import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from pydantic import JsonValue

from discovery_collectors.collector import Assignment, Emit
from discovery_collectors.collectors.web.client import Answer, WebClient, WebError
from discovery_collectors.collectors.web.framework import Framework, login_of, read_server, recognise
from discovery_collectors.collectors.web.leads import certainty_of_login
from discovery_collectors.collectors.web.page import Page, decode, read_page
from discovery_collectors.running.bounds import cut, more_than
from discovery_collectors.running.server_time import ServerTime
from discovery_collectors.running.services import KnownService, ReportedService, inspect_each, known_services
from dryrun_contract.resource_key import ResourceKey

_SITES_AT_ONCE = 8
_SITE_SECONDS = 60
"""The longest one site may take, whatever it serves, without the pauses that a packet rate requires."""
_REDIRECTS = 4
"""Followed from one page."""
_LOGIN_PAGES = 5
"""Pages of one site that are visited to see whether they are a login."""
_DISALLOWED = 20
"""Reported of the paths that robots.txt shuts."""
_ROBOTS_LINES = 2000
_TEXT_CHARACTERS = 300
_PACKETS_PER_REQUEST = 10
_NAMES = re.compile(r"https?(-\w+)?|http-?proxy")
"""What nmap calls web servers; `http-alt` and the like are its names for ports."""
_WITH_PAGES = frozenset({"ipp", "upnp"})
"""What speaks HTTP for another purpose and has pages for people as well, once its answers have shown it."""

_LED_BY_HOST = frozenset({"E2guardian http proxy"})
"""Proxies that ask whomever `Host` names: one that names them makes them ask themselves, and that again."""


def prepare() -> None:
    """Import what only servers that speak TLS need."""
    importlib.import_module("discovery_collectors.protocols.certificates")


async def collect(assignment: Assignment, emit: Emit) -> None:
    """Visit the front page of every web server among the discoveries, and what on it leads to a login."""
    services = list(known_services(assignment.discoveries, assignment.scope, emit, _is_web))
    rate = assignment.max_rate

    async def inspect(service: KnownService) -> None:
        await _inspect(_Site(service, emit, ServerTime(_SITE_SECONDS, rate)))

    await inspect_each(services, inspect, emit, at_once=_SITES_AT_ONCE if rate is None else 1)


def _is_web(service: ReportedService) -> bool:
    if service.key.transport != "tcp" or service.data.get("product") in _LED_BY_HOST:
        return False
    return _NAMES.fullmatch(service.name) is not None or (service.name in _WITH_PAGES and not service.guessed)


async def _inspect(site: "_Site") -> None:
    try:
        async with site.time.running():
            await site.visit()
    except WebError as error:
        # Where only the port suggested a web server, this is no failure.
        if not site.service.reported.guessed:
            site.warning(str(error))
    except TimeoutError:
        site.warning(f"stopped after {_SITE_SECONDS} s; what was reported until then stands")
    except Exception as error:  # noqa: BLE001  # a hostile server makes a library fail in any way
        site.warning(f"its answers make no sense to a library ({type(error).__name__})")


@dataclass(frozen=True, slots=True)
class _Visit:
    """A page as it came after redirects on the same server."""

    path: str
    answer: Answer
    page: Page
    passed: tuple[str, ...]
    """Where each redirect led, the last one perhaps away from the server."""


@dataclass(slots=True)
class _Site:
    """One web server and what is known of it."""

    service: KnownService
    emit: Emit
    time: ServerTime
    visits: dict[str, _Visit] = field(default_factory=dict)
    """Visits by the path to which redirects led."""
    whole: bool = True
    """What may lead to a login was read to its end."""

    def warning(self, message: str) -> None:
        self.emit.warning(f"{self.service.key}: {message}")

    async def visit(self) -> None:
        """Visit front page, robots.txt, and pages that may be logins; report each as soon as it is known."""
        service = self.service
        async with WebClient(service.address, service.port, tls=service.reported.tls) as client:
            front = await self._visit(client, "/")
            if front.answer.status not in {*range(200, 400), 401, 403}:
                # A server without a site at its root; other paths could only be guessed.
                return
            robots = await self._read_robots(client)
            self.whole = self.whole and front.page.whole
            framework = self._report_site(front, robots)
            await self._visit_logins(client, front, self._leads(front, robots or []))
        if framework is None and self._framework(front) is not None:
            # A page behind showed what the front page did not.
            self._report_site(front, robots)

    async def _visit_logins(self, client: WebClient, front: _Visit, leads: list[str]) -> None:
        reported: set[str] = set()
        self._report_login(front, reported)
        asked = 0
        for path in leads:
            # `/login?next=/a` and `/login?next=/b` are one page.
            if _without_query(path) in reported:
                continue
            if asked == _LOGIN_PAGES:
                self.warning(more_than(_LOGIN_PAGES, "pages that may be a login", "visited"))
                return
            asked += 1
            visit = await self._visit_quietly(client, path)
            if visit is not None and self._report_login(visit, reported):
                reported.add(_without_query(path))

    async def _visit_quietly(self, client: WebClient, path: str) -> _Visit | None:
        try:
            return await self._visit(client, path)
        except WebError as error:
            self.warning(f"{path[:80]}: {error}")
            return None

    async def _visit(self, client: WebClient, path: str) -> _Visit:
        """Request a page and follow redirects, but never to another server. Raises WebError."""
        name: str | None = None
        passed: list[str] = []
        while True:
            await self.time.pause(_PACKETS_PER_REQUEST)
            answer = await client.get(path, name)
            location = answer.headers.get("location", "")
            if answer.status not in {301, 302, 303, 307, 308} or not location:
                break
            passed.append(location[:_TEXT_CHARACTERS])
            here = self._here(path, location)
            if here is None or len(passed) > _REDIRECTS:
                break
            path, name = here[0], here[1] or name
        visit = _Visit(_without_query(path), answer, read_page(answer), tuple(passed))
        self.visits.setdefault(visit.path, visit)
        return visit

    def _here(self, path: str, location: str) -> tuple[str, str | None] | None:
        """Return path and name that a redirect leads to on this very server, None if it leads elsewhere.

        A name is not resolved: it is a name of this server if scheme and port fit, and goes no further
        than into the Host header. Another address is another server, visited by itself if it is a target.
        """
        scheme = "https" if self.service.reported.tls else "http"
        try:
            there = urlsplit(
                urljoin(f"{scheme}://{self.service.address}:{self.service.port}{path}", location)
            )
            port = there.port or {"https": 443, "http": 80}.get(there.scheme)
            name = there.hostname or ""
        except ValueError:
            return None
        if there.scheme != scheme or port != self.service.port:
            return None
        where = (there.path or "/") + (f"?{there.query}" if there.query else "")
        if name == self.service.address:
            return where, None
        return (where, name) if re.fullmatch(r"(?=.*[a-z])[a-z0-9.-]{1,253}", name) else None

    async def _read_robots(self, client: WebClient) -> list[str] | None:
        """Return the paths that robots.txt shuts, None when there is no such file."""
        await self.time.pause(_PACKETS_PER_REQUEST)
        try:
            answer = await client.get("/robots.txt")
        except WebError as error:
            self.warning(f"/robots.txt: {error}")
            return None
        if answer.status != 200 or "html" in answer.headers.get("content-type", ""):
            return None
        found: dict[str, None] = {}
        lines = decode(answer).splitlines()
        self.whole = not answer.cut and len(lines) <= _ROBOTS_LINES
        for line in lines[:_ROBOTS_LINES]:
            field_name, _, value = line.partition(":")
            path = value.partition("#")[0].strip()[:200]
            if field_name.strip().casefold() == "disallow" and path:
                found[path] = None
        return list(found)

    def _leads(self, front: _Visit, shut: list[str]) -> list[str]:
        """Return paths on this server that may lead to a login, by link or robots.txt; the surest first."""
        found: dict[str, int] = {}
        links = [(target, f"{target} {text}") for target, text in front.page.links]
        for target, shown in [*links, *((path, path) for path in shut if "*" not in path)]:
            certainty = certainty_of_login(target, shown)
            here = self._here(front.path, target) if certainty else None
            if here is not None and _without_query(here[0]) not in self.visits:
                found[here[0]] = max(certainty, found.get(here[0], 0))
        return sorted(found, key=lambda path: -found[path])

    def _framework(self, visit: _Visit) -> Framework | None:
        """Return what made this page, or else what made others of the site."""
        return recognise([(each.answer, each.page) for each in (visit, *self.visits.values())])

    def _report_site(self, front: _Visit, robots: list[str] | None) -> Framework | None:
        data = self._describe(front)
        if front.passed:
            data["redirects"] = list(front.passed)
        if robots is not None:
            data |= cut("robots", robots, _DISALLOWED)
        if not self.whole:
            data["more"] = True
        if (certificate := _certificate(front.answer)) is not None:
            data["certificate"] = certificate
        self.emit.discovery("web_app", str(self.service.key), data, 0.9)
        return self._framework(front)

    def _report_login(self, visit: _Visit, reported: set[str]) -> bool:
        """Report a login page, once and unless it is the front page itself; return whether it is one."""
        if login_of(visit.answer, visit.page) is None:
            return False
        if visit.path == "/" or visit.path in reported:
            return True
        reported.add(visit.path)
        names = tuple(filter(None, visit.path.split("/")))
        key = ResourceKey(self.service.address, self.service.port, "tcp", names)
        self.emit.discovery("web_app", str(key), self._describe(visit), 0.9)
        return True

    def _describe(self, visit: _Visit) -> dict[str, JsonValue]:
        answer, page = visit.answer, visit.page
        data: dict[str, JsonValue] = {"status": answer.status, "path": visit.path[:_TEXT_CHARACTERS]}
        # An error's title is not the site's.
        if page.title and answer.status in {*range(200, 300), 401}:
            data["title"] = page.title
        server = answer.headers.get("server", "")
        product, version = read_server(server)
        if product:
            data |= {"server": product, "server_header": server[:_TEXT_CHARACTERS]}
        if version:
            data["server_version"] = version
        framework = self._framework(visit)
        if framework is not None:
            data |= {"framework": framework.name, "evidence": framework.evidence}
            if framework.version:
                data["version"] = framework.version
        login = login_of(answer, page)
        if login is not None:
            data |= {"login": True, "login_by": login}
        return data


def _without_query(path: str) -> str:
    return urlsplit(path).path or "/"


def _certificate(answer: Answer) -> dict[str, JsonValue] | None:
    if answer.certificate is None:
        return None
    # Imported for those who speak TLS only: it takes as long as everything else.
    from discovery_collectors.protocols.certificates import CertificateError, days_left, read_certificate  # noqa: PLC0415

    try:
        found = read_certificate(answer.certificate)
    except CertificateError:
        return None
    return {
        "subject": found.subject,
        "issuer": found.issuer,
        "not_after": found.not_after,
        "days_left": days_left(found),
        "self_signed": found.self_signed,
    }
