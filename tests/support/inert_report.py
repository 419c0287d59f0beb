"""Finds active content in a report's files: they must only display what targets said."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

_STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# fmt: off
_TAGS = frozenset({
    "html", "head", "meta", "title", "style", "body", "article", "header", "nav", "section", "div", "h1",
    "h2", "h3", "p", "ul", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "span", "strong", "bdi",
    "figure", "figcaption", "svg", "rect",
})
_ATTRIBUTES = frozenset({
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "scope", "tabindex", "role",
    "aria-label", "aria-hidden", "data-label", "viewbox", "preserveaspectratio", "width", "height", "rx", "x",
})
# fmt: on
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def faults_of(form: str, text: str) -> list[str]:
    """Return what is wrong with a report of this form (`.html`, `.md`, `.csv`, `.json`)."""
    faults = [f"steers: {character!r}" for character in sorted(_steering(text))]
    match form:
        case ".html":
            faults += _Page(text).faults
        case ".md":
            faults += ["holds the beginning of a tag"] if "<" in text else []
        case ".csv":
            faults += [f"a formula: {cell[:80]!r}" for cell in _cells(text) if cell.lstrip()[:1] in _FORMULAS]
        case ".json":
            faults += [] if text.isascii() else ["is not ASCII"]
    return faults


def _steering(text: str) -> set[str]:
    return {one for one in set(text) if unicodedata.category(one) in _STEERING and one != "\n"}


def _cells(text: str) -> Iterator[str]:
    for row in csv.reader(io.StringIO(text)):
        yield from (cell for cell in row if cell)


class _Page(HTMLParser):
    """Notes every tag and attribute that the report's own templates do not write."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.faults.append(f"a <{tag}>")
        for name, value in attrs:
            if name not in _ATTRIBUTES:
                self.faults.append(f"<{tag} {name}=…>")
            if name == "href" and not str(value).startswith("#report-"):
                self.faults.append(f"a link to {value}")
