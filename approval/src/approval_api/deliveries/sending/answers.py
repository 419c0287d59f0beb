"""Decides which answers to a request allow its repetition."""

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote, urlsplit

from approval_api.deliveries.sending.sender import BusyError, RefusedError
from approval_api.egress.client import Answer
from dryrun_contract.text import printable

_MAY_HEAL = frozenset({408, 409, 423, 425, 429})
_LONGEST_WAIT = 3600.0
_SAID = 200
_MOST_BACKSLASHES = 8
"""In what is hidden. Each may stand for itself or begin a spelling: the search takes up to twice as long for
each, so that nothing is shown of an answer where there are more."""


def require_success(answer: Answer, *hidden: str) -> None:
    """Raise BusyError for an answer that may be another one later, RefusedError for one that will not.

    A redirect is refused: whoever moved has to be entered anew. What was said is shown to everybody, so
    each of `hidden`, which was sent along, is taken out of it.
    """
    if 200 <= answer.status < 300:
        return
    said = f"HTTP {answer.status}{_excerpt(answer.body, hidden)}"
    if answer.status in _MAY_HEAL or answer.status >= 500:
        raise BusyError(said, wait_asked_for(answer))
    if 300 <= answer.status < 400:
        raise RefusedError(f"HTTP {answer.status}: redirects are not followed; enter the address it leads to")
    raise RefusedError(said)


def paths_of(url: str) -> list[str]:
    """Return the parts of a URL that not everybody is shown: pages of faults repeat them.

    >>> paths_of("https://hooks.example/a/b?key=1"), paths_of("https://netbox.example/")
    (['/a/b', 'key=1'], [])
    """
    parts = urlsplit(url)
    return [part for part in (parts.path.rstrip("/"), parts.query) if part]


def without(text: str, hidden: Iterable[str]) -> str:
    """Return the beginning of a text without each of `hidden`, however a page, JSON or a form spells it.

    It is as long as what is shown of an answer; more of the text, which may be long, is not searched.

    >>> without("<i>/a%2fb?k=1&amp;t=2</i>", ["/a/b", "k=1&t=2"])
    '<i>…?…</i>'
    """
    words = {spelled for each in hidden for spelled in (each, unquote(each)) if spelled}
    if any(word.count("\\") > _MOST_BACKSLASHES for word in words):
        return "…"
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile("|".join("".join(map(_spellings, word)) for word in longest_first), re.IGNORECASE)
    shown: list[str] = []
    place = 0
    while place < len(text) and len(shown) <= _SAID:
        found = pattern.match(text, place) if words else None
        shown.append(text[place] if found is None else "…")
        place = place + 1 if found is None else found.end()
    return "".join(shown)


def _spellings(character: str) -> str:
    """Return an expression for a character as itself, or as URLs, HTML, JavaScript or JSON write it.

    But for a backslash, no text fits two of its forms: of a row of such, every choice would be tried.
    """
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    literal = [
        character,
        f"\\{character}",
        f"\\u{code:04x}",
        f"\\x{code:02x}",
        quote(character, safe=""),
    ]
    if character != "'":  # HTML writes this one by its number
        literal.append(html.escape(character))
    if character == " ":
        literal.append("+")
    forms = [*map(re.escape, dict.fromkeys(literal)), f"&#0*{code};", f"&#x0*{code:x};"]
    return f"(?:{'|'.join(forms)})"


def wait_asked_for(answer: Answer) -> float | None:
    """Return the seconds in `Retry-After` (RFC 9110, 10.2.3), at most an hour; None without a valid one.

    >>> wait_asked_for(Answer(429, {"retry-after": "7"}, b""))
    7.0
    """
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _excerpt(body: bytes, hidden: Iterable[str]) -> str:
    # Before it is cut: a part of what is hidden must not stay.
    text = printable(without(body.decode("utf-8", "replace"), hidden), limit=_SAID).strip()
    return f": {text}" if text else ""
