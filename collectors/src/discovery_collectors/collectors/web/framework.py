"""Recognises what a site was made with, and in which version, from what it shows."""

import re
from dataclasses import dataclass
from typing import Literal

from discovery_collectors.collectors.web.client import Answer
from discovery_collectors.collectors.web.page import Page


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework or application; `version` is empty where the site does not show it."""

    name: str
    version: str
    evidence: str
    """Where it shows, e.g. `header X-Powered-By`."""


_NAMED = re.compile(r"(?P<name>[A-Za-z][\w.+! -]{0,40}?)(?:[ /]v?(?P<version>\d[\w.+-]{0,30}))?(?=$|[\s;,(])")
"""A name, mostly with a version: `WordPress 6.8.1`, `PHP/8.4.11`, `Express`."""

_COOKIES = {
    "csrftoken": "Django",
    "laravel_session": "Laravel",
    "connect.sid": "Express",
    "phpsessid": "PHP",
    "jsessionid": "Java Servlet",
    "asp.net_sessionid": "ASP.NET",
    "rack.session": "Rack",
    "_gitea": "Gitea",
    "grafana_session": "Grafana",
}
"""Cookie, in lower case → who sets it."""

_MARKS: tuple[tuple[str, str, re.Pattern[bytes]], ...] = (
    ("Django", "form field csrfmiddlewaretoken", re.compile(rb"name=[\"']csrfmiddlewaretoken[\"']")),
    ("Django", "path /static/admin/", re.compile(rb"(?:href|src)=[\"']/static/admin/")),
    ("WordPress", "path /wp-content/", re.compile(rb"(?:href|src)=[\"'][^\"']{0,200}/wp-content/")),
    (
        "Ruby on Rails",
        "meta csrf-param",
        re.compile(rb"name=[\"']csrf-param[\"'] content=[\"']authenticity_token"),
    ),
    ("ASP.NET", "form field __VIEWSTATE", re.compile(rb"name=[\"']__VIEWSTATE[\"']")),
    ("Next.js", "script __NEXT_DATA__", re.compile(rb"id=[\"']__NEXT_DATA__[\"']")),
    ("Nuxt", "path /_nuxt/", re.compile(rb"(?:href|src)=[\"']/_nuxt/")),
    ("Angular", "attribute ng-version", re.compile(rb"ng-version=[\"'](?P<version>\d[\w.-]{0,20})[\"']")),
)

_LANGUAGES = frozenset({"PHP", "Java Servlet", "ASP.NET", "Rack"})
"""Reported when nothing that is built on them shows itself."""


def recognise(answers: list[tuple[Answer, Page]]) -> Framework | None:
    """Return what made the site, by the surest sign: its own statement, cookies, marks in its pages."""
    found = [sign for answer, page in answers for sign in _signs(answer, page)]
    named = {sign.name: sign for sign in reversed(found)}
    with_version = {sign.name: sign for sign in reversed(found) if sign.version}
    for sign in found:
        if sign.name not in _LANGUAGES or not named.keys() - _LANGUAGES:
            return with_version.get(sign.name, sign)
    return None


def _signs(answer: Answer, page: Page) -> list[Framework]:
    signs = []
    if page.generator:
        signs += _named(page.generator, "meta generator")
    for header, shown in (
        ("x-powered-by", "header X-Powered-By"),
        ("x-generator", "header X-Generator"),
        ("x-aspnet-version", "header X-AspNet-Version"),
    ):
        value = answer.headers.get(header, "")
        if header == "x-aspnet-version" and value:
            value = f"ASP.NET {value}"
        signs += _named(value, shown)
    for cookie in answer.cookies:
        name = _COOKIES.get(cookie.casefold())
        if name is not None:
            signs.append(Framework(name, "", f"cookie {cookie}"))
    for name, evidence, pattern in _MARKS:
        mark = pattern.search(answer.body)
        if mark is not None:
            version = mark.groupdict().get("version") or b""
            signs.append(Framework(name, version.decode("ascii", "replace"), evidence))
    return signs


def _named(text: str, evidence: str) -> list[Framework]:
    found = _NAMED.match(text)
    return [] if found is None else [Framework(found["name"].strip(), found["version"] or "", evidence)]


def read_server(header: str) -> tuple[str, str]:
    """Return product and version from a Server header, each empty where it has none.

    >>> read_server("nginx/1.26.3 (Debian)"), read_server("gunicorn"), read_server("")
    (('nginx', '1.26.3'), ('gunicorn', ''), ('', ''))
    """
    found = _NAMED.match(header)
    return (found["name"].strip(), found["version"] or "") if found else ("", "")


type Login = Literal["form", "basic", "digest", "negotiate", "bearer"]


def login_of(answer: Answer, page: Page) -> Login | None:
    """Return how the answer requests a login, None if it does not."""
    if answer.status == 401:
        scheme = answer.headers.get("www-authenticate", "").partition(" ")[0].casefold()
        for known in ("basic", "digest", "negotiate", "bearer"):
            if scheme == known:
                return known
    return "form" if page.login else None
