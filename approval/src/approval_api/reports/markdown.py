"""The report as GitHub-flavoured Markdown. Every quoted text is made inert first."""

from functools import cache

from jinja2 import Environment

from approval_api.reports.environment import SIGNS, STATES, counted, environment, kind_of
from approval_api.reports.inert import inert
from approval_api.reports.view.blocks import Quoted, Text
from approval_api.reports.view.compose import view_of
from dryrun_contract.report import PlaceState, Report
from dryrun_contract.text import printable


def render(report: Report) -> str:
    """Return the whole report, ending in a line break."""
    template = _environment().get_template("report.md.j2")
    return template.render(view=view_of(report), states=STATES).strip("\n") + "\n"


@cache
def _environment() -> Environment:
    # Not HTML: `inert` removes everything that steers Markdown.
    made = environment(escapes=False)
    made.filters.update(words=_words, said=inert, sign=_sign, kind=kind_of, counted=_counted)
    return made


def _words(text: Text) -> str:
    whole = "".join(
        inert(piece.text, limit=piece.limit) if isinstance(piece, Quoted) else piece for piece in text.pieces
    )
    return f"**{whole}**" if text.strong and whole else whole


def _sign(state: PlaceState) -> str:
    return SIGNS[state]


def _counted(number: int, kind: str) -> str:
    return printable(counted(number, kind), limit=60).translate({ord(one): None for one in "`|<*_[]"})
