"""Redis: requires AUTH, and believes nobody."""

import asyncio

from record import offered

MOST_WORDS, MOST_BYTES = 32, 4096


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    while words := await _command(reader):
        name = words[0].upper()
        login = _login(name, words)
        if login is not None:
            offered("redis", login, "the password", peer)
            writer.write(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
        elif name == b"QUIT":
            writer.write(b"+OK\r\n")
            return
        else:
            writer.write(b"-NOAUTH Authentication required.\r\n")
        await writer.drain()


def _login(name: bytes, words: list[bytes]) -> bytes | None:
    """Return the user that a command logs in, `default` where it names none; None for other commands."""
    if name == b"AUTH" and len(words) in (2, 3):
        return words[1] if len(words) == 3 else b"default"
    if name == b"HELLO":
        for place, word in enumerate(words[:-2]):
            if word.upper() == b"AUTH":
                return words[place + 1]
    return None


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    line = (await reader.readline())[:MOST_BYTES].strip()
    if not line.startswith(b"*"):
        return line.split()
    count = int(line[1:] or b"0")
    if not 0 < count <= MOST_WORDS:
        return []
    words = []
    for _ in range(count):
        size = int((await reader.readline())[1:].strip() or b"0")
        if not 0 <= size <= MOST_BYTES:
            return []
        words.append((await reader.readexactly(size + 2))[:-2])
    return words
