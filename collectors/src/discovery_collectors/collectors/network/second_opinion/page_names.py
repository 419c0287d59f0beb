"""What a page calls itself, where neither a sign nor the Server header names what serves it."""

import re

from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer

_SIGNATURE = re.compile(
    r"<(?:address|center|em|i|small)>\s{0,10}(?P<product>[A-Za-z][\w.-]{1,40})/v?(?P<version>\d[\w.+~-]{0,30})\s{0,10}<"
)
"""How servers sign their error pages: `<i>pmproxy/6.3.8</i>`."""
_SIGNED_CHARACTERS = 4000
_DESCRIPTION = re.compile(
    r"<meta\s{1,8}name=[\"']?description[\"']?\s{1,8}content=[\"']([^\"'<>]{1,80})[\"']", re.IGNORECASE
)
_PART = re.compile(r" [-|·•:\u2013\u2014] |: ")
"""What separates the parts of a title, in which words are one space apart."""
_TITLE_CHARACTERS, _TITLE_WORDS = 40, 5
_VERSIONED = re.compile(
    r"x-(?!(?:amz|api|app\w*|asp\w*|backend|build|cache|client|content|data|db|firmware|frontend|git|goog|http|"
    r"java|jwt|lib\w*|min|model|ms|node|page|php|platform|product|protocol|proxy|python|rails|release|ruby|"
    r"runtime|schema|script|sdk|server|service|site|soap|software|system|theme|ui|user|web\w*)-)"
    r"(?P<product>[a-z][a-z\d]{3,20})-version"
)
"""Headers in which a product states its version. Not those of languages, layers and interfaces."""
_NUMBER = re.compile(r"v?(?P<version>\d{1,4}\.\d[\w.+~-]{0,30})$")
_REALM = re.compile(r"\brealm=\"(?P<realm>[^\"]{1,80})\"", re.IGNORECASE)
"""What a login is for (RFC 9110, section 11.5), which many programs fill in with their name."""
_DESCRIBED = re.compile(
    r"\{\s{0,8}\"openapi\"\s{0,4}:\s{0,4}\"3\.[\d.]{1,6}\",\s{0,8}\"info\"\s{0,4}:\s{0,4}\{\s{0,12}"
    r"\"title\"\s{0,4}:\s{0,4}\"(?P<product>[^\"\\]{1,80})\""
)
"""The beginning of an interface's description (OpenAPI 3, "Info Object"); it may be too long to be read."""
_DESCRIBED_VERSION = re.compile(r"\"version\"\s{0,4}:\s{0,4}\"v?(?P<version>\d[\w.+~-]{0,30})\"")
_DESCRIBED_CHARACTERS = 4000
_UNNAMED = "FastAPI"
"""The title, with a version of its own, of an application that was given none."""
_SOFTWARE = re.compile(
    r"\b(?:agent|api|broker|cache|cluster|collector|console|controller|daemon|database|engine|gateway|"
    r"interface|management|manager|monitor|proxy|queue|registry|repositor\w+|resolver|server|status|tracker|"
    r"web ?(?:client|console|dav|interface|ui))\b",
    re.IGNORECASE,
)
"""What titles of programs say beside the name: without it, a title is that of somebody's site."""
_NO_NAME = re.compile(
    r"(?:\d|https?:|(?:about|access|admin|api|app|bad|default|error|forbidden|home|http|index|internal|invalid|"
    r"login|main|management|manager|my|no|not|our|page|please|private|proxy|request|server|service|site|status|"
    r"test|the|this|unknown|web|welcome|your)\b)",
    re.IGNORECASE,
)
"""First words that are no name: `Server status`, `Welcome to …`."""


def versioned(page: HttpAnswer) -> tuple[str, str]:
    """Return product and version by a header that is called after the product: `X-Frob-Version: 1.2`."""
    for name, value in page.headers.items():
        called = _VERSIONED.fullmatch(name)
        version = _NUMBER.match(value)
        if called is not None and version is not None:
            return called["product"].capitalize(), version["version"]
    return "", ""


def described(page: HttpAnswer) -> tuple[str, str]:
    """Return product and version by the description of a program's interface."""
    info = _DESCRIBED.match(page.part("json"))
    if info is None or info["product"] == _UNNAMED or not _is_name(info["product"]):
        return "", ""
    version = _DESCRIBED_VERSION.search(page.body, info.end(), info.end() + _DESCRIBED_CHARACTERS)
    return info["product"], version["version"] if version is not None else ""


def states(page: HttpAnswer) -> tuple[str, str]:
    """Return product and version by the page's signature, title, description or realm, or empty ones."""
    signed = _SIGNATURE.search(page.body[-_SIGNED_CHARACTERS:]) if page.status >= 400 else None
    if signed is not None:
        return signed["product"], signed["version"]
    if page.status >= 400 and page.status not in {401, 403}:
        return "", ""
    realm = _REALM.search(page.headers.get("www-authenticate", ""))
    asked_for = realm["realm"] if realm is not None else ""
    for part in (*_PART.split(page.title), _description(page), asked_for):
        if _SOFTWARE.search(part) and _is_name(part):
            return part, ""
    return "", ""


def _description(page: HttpAnswer) -> str:
    """Return what a page is said to be, if that begins with a name that its title begins with, too.

    `SOGo` is `SOGo Web Interface`; a description alone is that of somebody's site.
    """
    stated = _DESCRIPTION.search(page.body)
    words = " ".join(stated[1].split()) if stated is not None else ""
    return words if page.title and words.split(" ")[0] == page.title.split(" ")[0] else ""


def _is_name(part: str) -> bool:
    is_short = 3 <= len(part) <= _TITLE_CHARACTERS and len(part.split()) <= _TITLE_WORDS
    return is_short and part[0].isalpha() and _NO_NAME.match(part) is None
