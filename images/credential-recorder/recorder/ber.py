"""The few pieces of BER that LDAP and SNMP need, with bounds."""

from collections.abc import Iterator

MOST_BYTES = 16_384


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + len(content).to_bytes(2) + content


def integer(value: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1))


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element. Raises ValueError for what is none."""
    place = 0
    while place < len(data):
        tag, size, heading = data[place], *length(data[place + 1 :])
        start = place + 1 + heading
        if start + size > len(data):
            raise ValueError("it ends too soon")
        yield tag, data[start : start + size]
        place = start + size


def length(data: bytes) -> tuple[int, int]:
    """Return the size in front of a content, and how many bytes state it. Raises ValueError."""
    if not data:
        raise ValueError("it ends too soon")
    if data[0] < 0x80:
        return data[0], 1
    count = data[0] & 0x7F
    if not 1 <= count <= 4 or len(data) <= count:
        raise ValueError("no size is stated like that")
    size = int.from_bytes(data[1 : 1 + count])
    if size > MOST_BYTES:
        raise ValueError("it is too large")
    return size, 1 + count
