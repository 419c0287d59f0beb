"""The report as HTML without scripts: a fragment of a page, and a self-contained file."""

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from approval_api.reports.environment import (
    SIGNS,
    STATES,
    TEMPLATES,
    counted,
    environment,
    kind_of,
)
from approval_api.reports.view.blocks import Bar, Quoted, Text, Tile, Tone
from approval_api.reports.view.compose import view_of
from dryrun_contract.report import PlaceState, Report
from dryrun_contract.text import printable

_CHART_WIDTH = 1000
_SHORT_TEXT = 14
"""Characters."""
_LONG_TEXT = 40
"""Characters."""


def render_html_fragment(report: Report, *, level: int = 2) -> Markup:
    """Return the report as one `<article class="dryrun-report">`; `level` is that of its first heading.

    It needs `report_css` beside it, and works under a policy that allows neither scripts nor inline styles.
    """
    template = _environment().get_template("report.html.j2")
    whole = template.render(view=view_of(report), level=level, states=STATES)
    return Markup(whole.strip() + "\n")  # noqa: S704 - made by templates that escape


def render_html_file(report: Report) -> str:
    """Return the report as one self-contained file: it loads nothing and runs no script."""
    title = f"Dry-run of {printable(report.template.id)}, {report.session.requested_at:%Y-%m-%d}"
    return (
        _environment()
        .get_template("page.html.j2")
        .render(title=title, css=Markup(report_css()), fragment=render_html_fragment(report, level=1))  # noqa: S704 - ours
    )


@cache
def report_css() -> str:
    """Return the style of fragment and file; every rule is below `.dryrun-report`."""
    return (TEMPLATES / "report.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = environment(escapes=True)
    made.filters.update(
        words=_words,
        said=_quoted,
        tone=_tone,
        width=_width,
        parts=_parts,
        sign=_sign,
        kind=kind_of,
        counted=_counted,
    )
    return made


def _quoted(text: str, limit: int = 200, *, prose: bool = False) -> Markup:
    """Return quoted text: visible, escaped, and isolated from the direction of the text around it."""
    kind = "prose" if prose else "quoted"
    return Markup('<bdi class="dr-{}">{}</bdi>').format(kind, printable(text, limit=limit))


def _words(text: Text) -> Markup:
    whole = Markup().join(
        _quoted(piece.text, piece.limit, prose=piece.prose) if isinstance(piece, Quoted) else escape(piece)
        for piece in text.pieces
    )
    return Markup("<strong>{}</strong>").format(whole) if text.strong else whole


def _tone(one: Text | Tile) -> str:
    return f"dr-tone-{one.tone}" if one.tone else ""


def _width(cell: Text) -> str:
    """Return the class that keeps a short text on one line, and a long one from many lines of few words."""
    length = sum(len(piece if isinstance(piece, str) else piece.text) for piece in cell.pieces)
    return "dr-short" if length <= _SHORT_TEXT else "dr-long" if length > _LONG_TEXT else ""


def _sign(state: PlaceState) -> Markup:
    word = dict(STATES)[state]
    return Markup('<span class="dr-sign dr-sign-{}" role="img" aria-label="{}">{}</span>').format(
        state, word, SIGNS[state]
    )


def _counted(number: int, kind: str) -> str:
    return counted(number, printable(kind, limit=40))


@dataclass(frozen=True, slots=True)
class _Part:
    x: float
    width: float
    tone: Tone


def _parts(bar: Bar, full: float) -> list[_Part]:
    parts, x = [], 0.0
    for segment in bar.segments:
        width = _CHART_WIDTH * segment.value / full
        if width > 0:
            parts.append(_Part(round(x, 1), round(max(width, 2.0), 1), segment.tone))
        x += width
    return parts
