"""The part of BER (X.690) that SNMP and LDAP need; strict, since what it reads is hostile."""

from collections.abc import Iterator
from typing import Final

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
SEQUENCE: Final = 0x30
_MAX_ARCS = 128
"""RFC 2578, section 3.5."""


class BerError(ValueError):
    """Bytes that are not BER, or not the part read here: definite lengths, tags of one byte."""


def element(tag: int, *parts: bytes) -> bytes:
    """Write one element whose content is `parts`, one after the other."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Write a whole number, negative ones too."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def object_identifier(dotted: str) -> bytes:
    """Write an object identifier, e.g. `1.3.6.1.2.1.1.1.0`."""
    first, second, *others = map(int, dotted.split("."))
    return element(OBJECT_IDENTIFIER, *map(_arc, [first * 40 + second, *others]))


def _arc(number: int) -> bytes:
    septets = [number & 0x7F]
    while number := number >> 7:
        septets.append(0x80 | number & 0x7F)
    return bytes(reversed(septets))


def elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the elements that `content` is made of. Raises BerError."""
    start = 0
    while start < len(content):
        size = whole_size(content[start : start + 6])
        if size is None or start + size > len(content):
            raise BerError("an element ends before its length says")
        tag = content[start]
        yield tag, content[start + _header_size(content[start + 1]) : start + size]
        start += size


def whole_size(start: bytes) -> int | None:
    """Return the size in bytes of the element that begins with `start`, None while that is too short.

    Raises BerError, also for lengths that need more than four bytes.
    """
    if start and start[0] & 0x1F == 0x1F:
        raise BerError("a tag of several bytes")
    if len(start) < 2:
        return None
    if start[1] < 0x80:
        return 2 + start[1]
    header = _header_size(start[1])
    if not 3 <= header <= 6:
        raise BerError("a length that is indefinite or too long")
    return None if len(start) < header else header + int.from_bytes(start[2:header])


def _header_size(length_byte: int) -> int:
    return 2 if length_byte < 0x80 else 2 + (length_byte & 0x7F)


def the_element(content: bytes, *tags: int) -> bytes:
    """Return the content of the only element, which has one of `tags`. Raises BerError."""
    found = list(elements(content))
    if len(found) != 1 or found[0][0] not in tags:
        raise BerError("another element was expected")
    return found[0][1]


def fields(content: bytes, *tags: int | None) -> list[bytes]:
    """Return the contents of the first elements, which have these tags (None: any). Raises BerError."""
    found = list(elements(content))
    if len(found) < len(tags):
        raise BerError(f"{len(tags)} elements were expected, {len(found)} came")
    for (tag, _), expected in zip(found, tags, strict=False):
        if expected not in {None, tag}:
            raise BerError(f"an element has the tag {tag:#04x} instead of {expected:#04x}")
    return [part for _, part in found[: len(tags)]]


def read_integer(content: bytes) -> int:
    """Read a whole number of at most nine bytes (Counter64 needs them). Raises BerError."""
    if not 1 <= len(content) <= 9:
        raise BerError("a whole number of unusual size")
    return int.from_bytes(content, signed=True)


def read_object_identifier(content: bytes) -> str:
    """Read an object identifier. Raises BerError."""
    arcs: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if number >= 2**32 or len(arcs) == _MAX_ARCS:
            raise BerError("an object identifier beyond the limits of RFC 2578")
        if byte < 0x80:
            arcs.append(number)
            number = 0
    if not arcs or content[-1] >= 0x80:
        raise BerError("an object identifier without an end")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))
