import struct

import pytest

from discovery_collectors.collectors.directory import smb_session
from discovery_collectors.running.scope import Scope

HERE = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


def fragment(data: bytes, *, last: bool) -> bytes:
    head = struct.pack("<BBBB4sHHI", 5, 0, 2, 2 * last, b"\x10\0\0\0", 24 + len(data), 0, 1)
    return head + bytes(8) + data


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (fragment(b"ab", last=False) + fragment(b"c", last=True), (b"abc", True)),
        (fragment(b"abcdef", last=False) + fragment(b"g", last=True), (b"abcdef", False)),
    ],
)
async def test_a_list_is_read_so_far_and_no_further(monkeypatch, content, whole):
    monkeypatch.setattr(smb_session, "_LIST_BYTES", 5)
    session = smb_session._Session(HERE, None, None)
    assert await session._put_together(b"", content) == whole
