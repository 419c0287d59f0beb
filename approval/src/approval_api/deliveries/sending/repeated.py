"""Whether a text repeats what was sent, in the spellings of pages, scripts, forms and heads.

A text is shown whole or not at all. To cut out what is repeated, every spelling would have to be found in its
place: what was forgotten was shown, and a search for many took time without end. Here both sides are taken
apart in the same way, and compared by their letters and digits: that takes time by their lengths.
"""

import base64
import html
import re
import sys
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

_ROUNDS = 4
"""How often a spelling is undone: `%252561`, `&amp;#97;` and `\\\\u0061` are spelled two or three times."""
_IN_A_ROW = 12
"""Letters and digits in a row that are no coincidence; words of paths, such as `services`, have fewer."""
_ESCAPE = re.compile(
    r"""\\(?: u\{([0-9a-f]{1,6})\} | (?-i:U)([0-9a-f]{8}) | u([0-9a-f]{4}) | x([0-9a-f]{2})
        | ([0-7]{1,3}) | (.) )""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""As JSON, JavaScript, C, Python and shells write a character."""


def repeats(text: str, sent: Iterable[str]) -> bool:
    r"""Return whether `text` has one of `sent`, or twelve letters and digits in a row of one.

    >>> repeats(r"no hook \u002fservices&sol;s%2533cr3t", ["/services/s3cr3t"])
    True
    >>> repeats("this field is required", ["/services/s3cr3t"])
    False
    """
    words = [word for word in sent if word]
    said = _as_words(text)
    if any(word in each for word in _all_as_words(words) for each in said):
        return True
    letters = {_letters(each) for each in said}
    return not _rows(letters).isdisjoint(_rows(_spelled(words)))


def _all_as_words(words: Iterable[str]) -> set[str]:
    return {each for word in words for each in _as_words(word)}


def _as_words(text: str) -> set[str]:
    """Return a text as it stands and with its spellings undone, a round at a time; a plus is a blank."""
    found = {text}
    for _ in range(_ROUNDS):
        text = _ESCAPE.sub(_character, html.unescape(unquote(text)))
        found.add(text)
    return {each.casefold().replace("+", " ") for each in found if each}


def _character(found: re.Match[str]) -> str:
    *hexadecimal, octal, itself = found.groups()
    if itself:
        return str(itself)
    number = int(octal, 8) if octal else int(next(filter(None, hexadecimal)), 16)
    return chr(number) if number <= sys.maxunicode else ""


def _spelled(words: Iterable[str]) -> Iterator[str]:
    """Yield the letters and digits of words, and of their spellings in base64 and in hexadecimal."""
    for word in words:
        yield from map(_letters, _as_words(word))
        raw = word.encode()
        yield raw.hex()
        # Among other bytes, such as a user before a colon; only what these bytes alone decide.
        for before in range(3):
            coded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
            begin, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            yield _letters(coded[begin:end])


def _letters(text: str) -> str:
    """Return the letters and digits of a text, without regard to case; breaks of lines go, too."""
    return "".join(filter(str.isalnum, text.casefold()))


def _rows(texts: Iterable[str]) -> set[str]:
    return {text[place : place + _IN_A_ROW] for text in texts for place in range(len(text) - _IN_A_ROW + 1)}
