"""Reads a page: its title, its generator, whether it has a password field, and where it links."""

import codecs
import re
from dataclasses import dataclass

from lxml import etree

from discovery_collectors.collectors.web.client import Answer

_LINKS = 200
_TITLE_CHARACTERS = 200
_LINK_CHARACTERS = 500
_CHARSETS = re.compile(
    r"utf-8|utf-16(-[bl]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rut]|gb\w+|big5\w*|shift_jis\w*|euc_\w+"
)
"""Python's names of those that pages have; its others unpack bytes or read escapes."""
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"<meta[^>]{1,200}?charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page's contents. All of it was chosen by the server."""

    title: str = ""
    generator: str = ""
    login: bool = False
    """It has a field for a password."""
    links: tuple[tuple[str, str], ...] = ()
    """Where a link leads, and its text."""


def read_page(answer: Answer) -> Page:
    """Read an answer's body as HTML; anything else has no title."""
    kind = answer.headers.get("content-type", "text/html").casefold()
    if "html" not in kind or not answer.body:
        return Page()
    # NUL ends a text for libxml2.
    text = decode(answer).replace("\0", "\N{REPLACEMENT CHARACTER}")
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return Page()
    if root is None:
        return Page()
    return Page(
        title=_words("".join(_texts(root, "title")))[:_TITLE_CHARACTERS],
        generator=_words(_generator(root))[:_TITLE_CHARACTERS],
        login=any(field.get("type", "").casefold() == "password" for field in root.iter("input")),
        links=_links(root),
    )


def decode(answer: Answer) -> str:
    """Return the body as text, by the charset it declares if that exists."""
    declared = _CHARSET.search(answer.headers.get("content-type", ""))
    inside = _DECLARED.search(answer.body[:2048])
    name = declared[1] if declared else inside[1].decode("ascii", "replace") if inside else "utf-8"
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = "utf-8"
    return answer.body.decode(codec if _CHARSETS.fullmatch(codec) else "utf-8", "replace")


def _texts(root: etree._Element, tag: str) -> list[str]:
    # An SVG in the page may hold titles too; the page's own comes first.
    for element in root.iter(tag):
        return [str(text) for text in element.itertext()]
    return []


def _generator(root: etree._Element) -> str:
    for element in root.iter("meta"):
        if element.get("name", "").casefold() == "generator":
            return element.get("content", "")
    return ""


def _links(root: etree._Element) -> tuple[tuple[str, str], ...]:
    found = []
    for element in root.iter("a"):
        target = element.get("href", "")
        if target and len(target) <= _LINK_CHARACTERS:
            found.append((target, _words("".join(map(str, element.itertext())))[:100]))
        if len(found) == _LINKS:
            break
    return tuple(found)


def _words(text: str) -> str:
    return " ".join(text.split())
