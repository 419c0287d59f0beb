"""The one remote call that lists shares: NetrShareEnum of [MS-SRVS], level 1, over DCE/RPC."""

import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

MAX_SHARES: Final = 1000
_NAME_CHARACTERS = 200
_KINDS = {0: "disk", 1: "printer", 2: "device", 3: "ipc"}
_SPECIAL = 0x80000000
_HEADER = struct.Struct("<BBBB4sHHI")
_LITTLE_ENDIAN = b"\x10\0\0\0"
_FIRST_AND_LAST = 3
_LAST = 2
_REQUEST, _RESPONSE, _FAULT, _BIND, _BIND_ACK = 0, 2, 3, 11, 12
_DONE, _MORE_DATA = 0, 234
_SRVSVC = UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188").bytes_le + struct.pack("<HH", 3, 0)
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
_FRAGMENT_BYTES = 4280
_SHARE_ENUM = 15


class RpcError(RuntimeError):
    """The answer is not DCE/RPC, or cannot be read; the text says why."""


class RpcRefusedError(RpcError):
    """The answer refuses this login the list; the text says how."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share by its name, without the comment that its owner wrote."""

    name: str
    kind: str
    special: bool
    """For administration, mostly hidden."""


def bind() -> bytes:
    """Write the request to bind to the interface srvsvc."""
    context = struct.pack("<HBB", 0, 1, 0) + _SRVSVC + _NDR
    return _packet(_BIND, struct.pack("<HHIBBH", _FRAGMENT_BYTES, _FRAGMENT_BYTES, 0, 1, 0, 0) + context)


def is_bound(answer: bytes) -> bool:
    """Return whether the server has the interface."""
    return len(answer) > 2 and answer[2] == _BIND_ACK


def share_enum(server: str) -> bytes:
    """Write the call that lists all shares with name and type."""
    name = (server + "\0").encode("utf-16-le")
    count = len(name) // 2
    stub = struct.pack("<IIII", 0x20000, count, 0, count) + name + b"\0" * (-len(name) % 4)
    # Level 1 twice (the union repeats it), a container without entries, no limit, no resume handle.
    stub += struct.pack("<IIIIIII", 1, 1, 0x20004, 0, 0, 0xFFFFFFFF, 0)
    return _packet(_REQUEST, struct.pack("<IHH", len(stub), 0, _SHARE_ENUM) + stub)


def _packet(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(5, 0, kind, _FIRST_AND_LAST, _LITTLE_ENDIAN, _HEADER.size + len(body), 0, 1) + body


def split_fragment(content: bytes) -> tuple[bytes, bool, bytes] | None:
    """Return the first fragment's data, whether it is the last, and what follows; None: not whole yet.

    Raises RpcError.
    """
    if len(content) < _HEADER.size + 8:
        return None
    _, _, kind, flags, order, size, _, _ = _HEADER.unpack_from(content)
    if kind == _FAULT:
        raise RpcRefusedError("the call for shares is refused")
    if kind != _RESPONSE or order != _LITTLE_ENDIAN or size < _HEADER.size + 8:
        raise RpcError("the call for shares is answered in an unknown form")
    if len(content) < size:
        return None
    return content[_HEADER.size + 8 : size], bool(flags & _LAST), content[size:]


def read_shares(stub: bytes, *, ended: bool = True) -> tuple[list[Share], bool]:
    """Read the answer to `share_enum`: at most the first thousand, and whether these are all.

    `ended`: whether the answer was read to its end. Raises RpcError.
    """
    try:
        return _read_shares(stub, ended=ended)
    except struct.error:
        raise RpcError("the list of shares is cut") from None


def _read_shares(stub: bytes, *, ended: bool) -> tuple[list[Share], bool]:
    code = int.from_bytes(stub[-4:], "little") if ended else _MORE_DATA
    if code not in {_DONE, _MORE_DATA}:
        raise RpcRefusedError(f"the list of shares is refused (code {code})")
    _, _, container, count, array = struct.unpack_from("<5I", stub)
    if not container or not array or not count:
        return [], code == _DONE
    place = 24
    entries = [
        struct.unpack_from("<III", stub, place + 12 * number) for number in range(min(count, MAX_SHARES))
    ]
    if struct.unpack_from("<I", stub, 20)[0] < count:
        raise RpcError("the list of shares contradicts itself")
    place += 12 * count
    shares = []
    for name_reference, kind, remark_reference in entries:
        name, place = _read_text(stub, place) if name_reference else ("", place)
        if remark_reference:
            _, place = _read_text(stub, place)
        if name:
            shares.append(Share(name, _KINDS.get(kind & 0xFF, "unknown"), bool(kind & _SPECIAL)))
    return shares, code == _DONE and count <= MAX_SHARES


def _read_text(stub: bytes, place: int) -> tuple[str, int]:
    _, offset, count = struct.unpack_from("<III", stub, place)
    end = place + 12 + 2 * count
    if offset or end > len(stub):
        raise RpcError("a text of the list of shares is cut")
    text = stub[place + 12 : end].decode("utf-16-le", "replace").partition("\0")[0]
    return text[:_NAME_CHARACTERS], end + (-end % 4)
