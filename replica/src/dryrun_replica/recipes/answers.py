"""Generates bytes that a regular expression matches: the shortest ones, with given texts in its groups."""

import re
import re._constants as op  # type: ignore[import-not-found]  # private, so no stub has it
import re._parser as parser  # type: ignore[import-not-found]  # the only reader of the dialect that checks use
from collections.abc import Callable, Iterable, Mapping
from typing import Any

type _Node = tuple[Any, Any]

_MOST_BYTES = 4096
_LIKELY = b"x1A -._/:"
"""Tried first where several bytes fit."""
_ALL = [*_LIKELY, *range(32, 127), *range(32), *range(127, 256)]
_DIGITS = b"0123456789"
_SPACES = b" \t\n\r\f\v"
_WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
_CATEGORIES: Mapping[Any, tuple[bytes, bool]] = {
    op.CATEGORY_DIGIT: (_DIGITS, True),
    op.CATEGORY_NOT_DIGIT: (_DIGITS, False),
    op.CATEGORY_SPACE: (_SPACES, True),
    op.CATEGORY_NOT_SPACE: (_SPACES, False),
    op.CATEGORY_WORD: (_WORD, True),
    op.CATEGORY_NOT_WORD: (_WORD, False),
}


class NoAnswerError(Exception):
    """The expression uses what this generator does not know, or asks for too much."""


def generate(expression: bytes, groups: Mapping[int, bytes]) -> bytes:
    r"""Return bytes for `expression`, with `groups` in its groups; the caller checks that they match.

    >>> generate(rb"^220 (?:[-.\w]+) Tool v(\d[.\d]*) ready\r\n", {1: b"4.2"})
    b'220 x Tool v4.2 ready\r\n'
    """
    try:
        tree = parser.parse(expression)
    except (re.PatternError, OverflowError, RecursionError) as error:
        raise NoAnswerError(str(error)) from error
    answer = _Generator(groups).sequence(tree)
    if len(answer) > _MOST_BYTES:
        raise NoAnswerError("the answer would be too long")
    return answer


class _Generator:
    """Walks the tree of one expression."""

    def __init__(self, groups: Mapping[int, bytes]) -> None:
        self._groups = groups
        self._made: dict[int, bytes] = {}
        self._kinds: Mapping[Any, Callable[[Any], bytes]] = {
            op.LITERAL: lambda byte: bytes([byte]),
            op.NOT_LITERAL: lambda byte: _first(lambda number: number != byte),
            op.ANY: lambda _: b"x",
            op.IN: lambda members: _first(lambda number: _is_in(number, members)),
            op.MAX_REPEAT: self._repeated,
            op.MIN_REPEAT: self._repeated,
            op.POSSESSIVE_REPEAT: self._repeated,
            op.SUBPATTERN: self._group,
            op.BRANCH: lambda branches: self.sequence(branches[1][0]),
            op.GROUPREF: lambda number: self._made.get(number, b""),
            op.ATOMIC_GROUP: self.sequence,
            op.AT: lambda _: b"",
            op.ASSERT_NOT: lambda _: b"",
        }

    def sequence(self, nodes: Iterable[_Node]) -> bytes:
        return b"".join(self._bytes_of(kind, value) for kind, value in nodes)

    def _bytes_of(self, kind: Any, value: Any) -> bytes:
        if kind not in self._kinds:
            raise NoAnswerError(f"{kind} is not known here")
        return self._kinds[kind](value)

    def _repeated(self, value: Any) -> bytes:
        least, _, inner = value
        once = self.sequence(inner)
        if len(once) * least > _MOST_BYTES:
            raise NoAnswerError("the answer would be too long")
        return once * int(least)

    def _group(self, value: Any) -> bytes:
        number, _, _, inner = value
        chosen = self._groups.get(number) if number is not None else None
        made = self.sequence(inner) if chosen is None else chosen
        if number is not None:
            self._made[number] = made
        return made


def _first(fits: Callable[[int], bool]) -> bytes:
    for number in _ALL:
        if fits(number):
            return bytes([number])
    raise NoAnswerError("no byte fits")


def _is_in(number: int, members: list[_Node]) -> bool:
    negated = bool(members) and members[0][0] is op.NEGATE
    return any(_is_member(number, *member) for member in members[negated:]) != negated


def _is_member(number: int, kind: Any, value: Any) -> bool:
    if kind is op.LITERAL:
        return bool(number == value)
    if kind is op.RANGE:
        return bool(value[0] <= number <= value[1])
    if kind is op.CATEGORY and value in _CATEGORIES:
        known, inside = _CATEGORIES[value]
        return (number in known) == inside
    raise NoAnswerError(f"{kind} is not known here")
