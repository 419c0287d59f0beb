"""The messages of SMB 2.0.2 and 2.1 ([MS-SMB2]) that listing shares takes, and no others."""

import hmac
import struct
from dataclasses import dataclass
from typing import Final

NEGOTIATE: Final = 0
SESSION_SETUP: Final = 1
LOGOFF: Final = 2
TREE_CONNECT: Final = 3
CREATE: Final = 5
CLOSE: Final = 6
READ: Final = 8
IOCTL: Final = 11

SUCCESS: Final = 0
MORE_FOLLOWS: Final = 0x80000005
MORE_PROCESSING: Final = 0xC0000016
REFUSALS: Final = frozenset(
    {0xC0000022, 0xC000006D, 0xC000006E, 0xC0000064, 0xC000006A, 0xC0000072, 0xC0000234}
)
"""ACCESS_DENIED, LOGON_FAILURE, ACCOUNT_RESTRICTION, NO_SUCH_USER, WRONG_PASSWORD, DISABLED, LOCKED_OUT."""

_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
_MAGIC = b"\xfeSMB"
_SIGNED = 0x00000008
_PIPE_TRANSCEIVE = 0x0011C017
OUTPUT_BYTES: Final = 32 * 1024
_DIALECTS = (0x0202, 0x0210)


class SmbError(RuntimeError):
    """There is no answer, or it is not SMB; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: its header's fields, and the body after it."""

    command: int
    status: int
    message_id: int
    tree_id: int
    session_id: int
    body: bytes

    def buffer(self, offset: int, length: int) -> bytes:
        """Return a buffer whose offset counts from the header. Raises SmbError when it lies outside."""
        start = offset - _HEADER.size
        if length and not 0 <= start <= start + length <= len(self.body):
            raise SmbError("a buffer outside of its message")
        return self.body[start : start + length] if length else b""

    def unpack(self, layout: str, offset: int = 0) -> tuple[int, ...]:
        """Read fixed fields of the body. Raises SmbError when it is too short."""
        try:
            return struct.unpack_from(layout, self.body, offset)
        except struct.error:
            raise SmbError("an answer that is too short") from None


def request(
    command: int, message_id: int, body: bytes, *, session_id: int = 0, tree_id: int = 0, key: bytes = b""
) -> bytes:
    """Write one message; with `key` it is signed, as both dialects do (HMAC-SHA256)."""
    flags = _SIGNED if key else 0

    def header(signature: bytes) -> bytes:
        return _HEADER.pack(
            _MAGIC, 64, 1, 0, command, 8, flags, 0, message_id, 0xFEFF, tree_id, session_id, signature
        )

    if not key:
        return header(bytes(16)) + body
    return header(hmac.digest(key, header(bytes(16)) + body, "sha256")[:16]) + body


def read_reply(message: bytes) -> Reply:
    """Read one answer. Raises SmbError."""
    if len(message) < _HEADER.size or message[:4] != _MAGIC:
        raise SmbError("it does not answer as SMB 2 does")
    _, _, _, status, command, _, _, _, message_id, _, tree, session, _ = _HEADER.unpack_from(message)
    return Reply(command, status, message_id, tree, session, message[_HEADER.size :])


def negotiate(guid: bytes) -> bytes:
    """Offer both dialects, signing possible."""
    return struct.pack("<HHHHI16sQ", 36, len(_DIALECTS), 1, 0, 0, guid, 0) + struct.pack("<2H", *_DIALECTS)


def session_setup(token: bytes) -> bytes:
    """Carry a token of the login."""
    return struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token


def tree_connect(path: str) -> bytes:
    r"""Open a share, e.g. `\\10.0.0.3\IPC$`."""
    name = path.encode("utf-16-le")
    return struct.pack("<HHHH", 9, 0, 72, len(name)) + name


def create_pipe(name: str) -> bytes:
    """Open a named pipe that is there."""
    text = name.encode("utf-16-le")
    fixed = struct.pack(
        "<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 0x0012019F, 0, 7, 1, 0x40, 120, len(text), 0, 0
    )
    return fixed + text


def transceive(file_id: bytes, data: bytes) -> bytes:
    """Write into a pipe and read its answer."""
    fixed = struct.pack(
        "<HHI16sIIIIIIII", 57, 0, _PIPE_TRANSCEIVE, file_id, 120, len(data), 0, 0, 0, OUTPUT_BYTES, 1, 0
    )
    return fixed + data


def read_pipe(file_id: bytes) -> bytes:
    """Return a request to read more from a pipe."""
    return struct.pack("<HBBIQ16sIIIHHB", 49, 0x50, 0, OUTPUT_BYTES, 0, file_id, 0, 0, 0, 0, 0, 0)


def close(file_id: bytes) -> bytes:
    """Close a pipe."""
    return struct.pack("<HHI16s", 24, 0, 0, file_id)


def logoff() -> bytes:
    """End the session."""
    return struct.pack("<HH", 4, 0)
