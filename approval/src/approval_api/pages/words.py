"""How figures, times and names are put into words; used by every page."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice

from markupsafe import Markup
from pydantic import JsonValue

from dryrun_contract.kinds import title_of, titles_of
from dryrun_contract.text import about, counted, printable

NOTHING = "\N{EN DASH}"
_FIRST = ("product", "version", "title", "engine", "subject", "columns")
_MOST_VALUES = 200
"""Values of a discovery, and of one of its lists, that a line is made of."""
_FOR_PROGRAMS = re.compile(
    r"; (?:(?:GET|POST) /api/\S+ [^;]*|/openapi\.json lists the routes|see the Allow header|see `faults`)$"
)


def duration(seconds: float | None) -> str:
    """Put a duration into words.

    >>> [duration(seconds) for seconds in (0.04, 5.84, 59.7, 75, 3720)]
    ['0.0 s', '5.8 s', '1 min', '1 min 15 s', '1 h 2 min']
    """
    if seconds is None:
        return NOTHING
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def number(value: float) -> str:
    """Group digits: 1234567 → `1,234,567`."""
    return f"{value:,.0f}"


def ratio(value: float | None) -> str:
    """Show a score; what is 0/0 has none."""
    return NOTHING if value is None else f"{value:.2f}"


def spaced(word: object) -> str:
    """Show a word of the contract to people: `cleaning_up` → `cleaning up`."""
    return str(word).replace("_", " ")


def moment(at: datetime | None, style: str = "full") -> str:
    """Return a time element, in UTC until the viewer's own zone is put in by a script."""
    if at is None:
        return NOTHING
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" data-time="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        style,
        utc.strftime("%H:%M:%S UTC" if style == "clock" else "%Y-%m-%d %H:%M UTC"),
    )


def inert(value: object, limit: int = 200) -> str:
    """Return what a target said with everything that could steer made visible; HTML is escaped later.

    >>> inert(["cpe:/a:igor_sysoev:nginx", True])
    '["cpe:/a:igor_sysoev:nginx", true]'
    """
    of_json = isinstance(value, list | dict | bool)
    return printable(json.dumps(value, ensure_ascii=False) if of_json else str(value), limit=limit)


def evidence(data: dict[str, JsonValue], limit: int = 8000) -> str:
    """Return what a collector reported of a discovery, laid out for reading, a line break kept as one."""
    laid_out = json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)
    shown = "\n".join(printable(line, limit=500) for line in laid_out[:limit].split("\n"))
    return shown + ("\n…" if len(laid_out) > limit else "")


def value(true: JsonValue) -> str:
    """Return a true value; of several, such as the spellings of a product, each.

    >>> value(["PostgreSQL", "PostgreSQL DB"]), value("1.26.3"), value(443)
    ('PostgreSQL, PostgreSQL DB', '1.26.3', '443')
    """
    return ", ".join(map(str, true)) if isinstance(true, list) else str(true)


def gist(data: dict[str, JsonValue], limit: int = 120) -> str:
    """Return the plain values of a discovery on one line.

    >>> gist({"product": "nginx", "version": "1.26.3", "columns": ["id", "name"]})
    'nginx · 1.26.3 · id, name'
    >>> gist({"columns": ["id"], "size_bytes": 73728, "rows_estimate": 200})
    'id · size bytes 73,728 · rows estimate 200'
    """
    # What people look for first; the rest as reported.
    names = chain((each for each in _FIRST if each in data), (each for each in data if each not in _FIRST))
    shown = (_plain(name, data[name], limit) for name in islice(names, _MOST_VALUES))
    return printable(" · ".join(_beginning(shown, limit)), limit=limit)


def _plain(name: str, value: JsonValue, limit: int) -> str:
    """Return what is shown of a value; "" for nothing."""
    if isinstance(value, list):
        said = (str(item.get("name", "")) if isinstance(item, dict) else str(item) for item in value)
        return ", ".join(_beginning(islice(said, _MOST_VALUES), limit))
    if isinstance(value, dict | bool) or value in (None, ""):
        return ""
    # A figure alone says nothing: 200 of what?
    return f"{spaced(name)} {value:,}" if isinstance(value, int | float) else str(value)


def _beginning(texts: Iterable[str], limit: int) -> Iterator[str]:
    """Yield the texts that say something until they are longer than `limit`: of thousands the first."""
    length = 0
    for each in filter(None, texts):
        yield each
        length += len(each)
        if length > limit:
            return


def said(detail: str) -> str:
    """Return the detail of a problem as sentences, without the hint that only a program can follow.

    >>> said("there is no session 7c9e; GET /api/v1/dryrun/sessions lists them")
    'There is no session 7c9e.'
    >>> said("the database failed or took too long; nothing was changed. Try again in a moment")
    'The database failed or took too long; nothing was changed. Try again in a moment.'
    """
    detail = _FOR_PROGRAMS.sub("", detail)
    return detail[:1].upper() + detail[1:] + ("" if detail.endswith((".", "?", "!")) else ".")


def short_id(value: object) -> str:
    """Return the first eight characters of an id, as people say it."""
    return str(value)[:8]


FILTERS = {
    function.__name__: function
    for function in (
        about,
        counted,
        duration,
        number,
        ratio,
        spaced,
        moment,
        inert,
        evidence,
        gist,
        said,
        short_id,
        title_of,
        titles_of,
        value,
    )
}
