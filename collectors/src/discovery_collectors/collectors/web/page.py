"""Reads a page: its title, its generator, whether it has a password field, and where it links."""

import codecs
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import batched
from typing import cast

from lxml import etree

from discovery_collectors.collectors.web.client import Answer

_LINKS = 2000
_TITLE_CHARACTERS = 200
_LINK_CHARACTERS = 500
_LINK_TEXT_CHARACTERS = 100
_TEXT_CHARACTERS = 2000
"""Kept of what an element holds, before spaces are joined."""
_DEPTH = 256
"""Elements within each other, as deep as libxml2 builds a tree: an end that fits none, and text, are compared
with each element that is open."""
_CHARSETS = re.compile(
    r"utf-8|utf-16(-[bl]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rut]|gb\w+|big5\w*|shift_jis\w*|euc_\w+"
)
"""Python's names of those that pages have; its others unpack bytes or read escapes."""
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"<meta[^>]{1,200}?charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_PIECE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Page:
    """A page's contents. All of it was chosen by the server."""

    title: str = ""
    generator: str = ""
    login: bool = False
    """It has a field for a password."""
    links: tuple[tuple[str, str], ...] = ()
    """Where a link leads, and its text."""
    whole: bool = True
    """It was read to its end, and has no links but these."""


def read_page(answer: Answer) -> Page:
    """Read an answer's body as HTML; anything else has no title."""
    kind = answer.headers.get("content-type", "text/html").casefold()
    if "html" not in kind or not answer.body:
        return Page()
    # NUL ends a text for libxml2.
    text = decode(answer).replace("\0", "\N{REPLACEMENT CHARACTER}")
    shown = _Shown()
    target = cast("etree.ParserTarget[None]", shown)  # lxml leaves out methods that are not there
    parser = etree.HTMLParser(target=target, encoding="utf-8", no_network=True, huge_tree=False)
    whole = False
    try:
        with suppress(_TooDeepError):
            # In pieces: libxml2 goes on to the end of what it was given.
            for piece in batched(text.encode("utf-8", "replace"), _PIECE_BYTES, strict=False):
                parser.feed(bytes(piece))
            parser.close()
            whole = not answer.cut and not shown.more_links
    except (etree.XMLSyntaxError, ValueError):
        return Page(whole=False)
    return Page(
        title=_words(shown.title.text)[:_TITLE_CHARACTERS] if shown.title is not None else "",
        generator=_words(shown.generator or "")[:_TITLE_CHARACTERS],
        login=shown.login,
        links=tuple((target, _words(within.text)[:_LINK_TEXT_CHARACTERS]) for target, within in shown.links),
        whole=whole,
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


class _TooDeepError(Exception):
    """The page has more elements within each other than are read; what came before counts."""


@dataclass(slots=True)
class _Within:
    """The text within an element, as far as it is kept."""

    text: str = ""


@dataclass(slots=True)
class _Shown:
    """What the parser reports of a page.

    No tree is built: adding an attribute takes libxml2 the longer, the more the element has already, and a
    page has room for as many as keep a processor busy for ten seconds.
    """

    title: _Within | None = None
    generator: str | None = None
    login: bool = False
    links: list[tuple[str, _Within]] = field(default_factory=list)
    more_links: bool = False
    _open: list[tuple[str, _Within | None]] = field(default_factory=list)
    """Elements that are being read and whose text may count, by tag."""
    _depth: int = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take in the beginning of an element. Raises _TooDeepError."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise _TooDeepError
        if tag == "title":
            # An SVG in the page may have titles too; the page's own comes first.
            self._open.append((tag, within := _Within() if self.title is None else None))
            self.title = self.title or within
        elif tag == "a":
            target = attributes.get("href", "")
            is_link = target and len(target) <= _LINK_CHARACTERS
            is_kept = is_link and len(self.links) < _LINKS
            self.more_links = self.more_links or bool(is_link and not is_kept)
            self._open.append((tag, within := _Within() if is_kept else None))
            if within is not None:
                self.links.append((target, within))
        elif tag == "meta" and self.generator is None:
            if attributes.get("name", "").casefold() == "generator":
                self.generator = attributes.get("content", "")
        elif tag == "input":
            self.login = self.login or attributes.get("type", "").casefold() == "password"

    def end(self, tag: str) -> None:
        """Take in the end of an element."""
        self._depth -= 1
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def data(self, text: str) -> None:
        """Take in some text, for each element that it is within."""
        for _, within in self._open:
            if within is not None and len(within.text) < _TEXT_CHARACTERS:
                within.text += text[:_TEXT_CHARACTERS]

    def close(self) -> None:
        """End the page."""


def _words(text: str) -> str:
    return " ".join(text.split())
