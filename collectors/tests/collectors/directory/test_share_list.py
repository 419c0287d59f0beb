import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.directory import share_list
from discovery_collectors.collectors.directory.ntlm import Anonymous, NtlmError, read_names
from discovery_collectors.collectors.directory.share_list import (
    RpcError,
    RpcRefusedError,
    Share,
    read_shares,
    split_fragment,
)


def text(value: str) -> bytes:
    content = (value + "\0").encode("utf-16-le")
    count = len(content) // 2
    return struct.pack("<III", count, 0, count) + content + b"\0" * (-len(content) % 4)


def answer(*shares: tuple[str, int, str], code: int = 0) -> bytes:
    stub = struct.pack("<IIIIII", 1, 1, 0x20000, len(shares), 0x20004, len(shares))
    stub += b"".join(struct.pack("<III", 0x20008, kind, 0x2000C) for _, kind, _ in shares)
    stub += b"".join(text(name) + text(remark) for name, _, remark in shares)
    return stub + struct.pack("<III", len(shares), 0, code)


def test_shares_are_reported_by_name_and_type_without_their_comments():
    found, complete = read_shares(
        answer(("public", 0, "canary"), ("IPC$", 0x80000003, ""), ("Größe 1", 1, "x"))
    )
    assert complete
    assert found == [
        Share("public", "disk", special=False),
        Share("IPC$", "ipc", special=True),
        Share("Größe 1", "printer", special=False),
    ]


@pytest.mark.parametrize(
    "stub",
    [
        b"",
        answer(code=5),
        answer(("public", 0, ""))[:40] + b"\0" * 4,
        struct.pack("<IIIIII", 1, 1, 1, 2**31, 1, 2**31) + b"\0" * 4,
        struct.pack("<IIIIII", 1, 1, 1, 5, 1, 1) + b"\0" * 64,
    ],
)
def test_a_list_that_is_cut_refused_or_false_is_an_error(stub):
    with pytest.raises(RpcError):
        read_shares(stub)


@given(st.binary(max_size=200))
def test_whatever_comes_it_is_read_or_refused(content):
    for read in (read_shares, split_fragment, share_list.is_bound, read_names):
        try:
            read(content)
        except (RpcError, NtlmError):
            continue


def test_no_more_shares_are_reported_than_a_report_can_hold_and_that_there_are_more_is():
    found, complete = read_shares(answer(*((f"s{number}", 0, "") for number in range(1500))))
    assert (len(found), complete) == (share_list.MAX_SHARES, False)


def test_a_server_that_has_more_than_it_says_has_not_said_all():
    found, complete = read_shares(answer(("public", 0, ""), code=234))
    assert ([share.name for share in found], complete) == (["public"], False)


def test_of_an_answer_that_is_not_read_to_its_end_the_first_shares_are_reported():
    whole = answer(*((f"s{number}", 0, "") for number in range(1500)))
    found, complete = read_shares(whole[: len(whole) * 9 // 10], ended=False)
    assert ([share.name for share in found[-1:]], complete) == (["s999"], False)
    with pytest.raises(RpcError):
        read_shares(whole[: len(whole) // 2], ended=False)


def test_a_refusal_is_told_from_an_answer_that_makes_no_sense():
    fault = struct.pack("<BBBB4sHHI", 5, 0, 3, 3, b"\x10\0\0\0", 32, 0, 1) + b"\0" * 16
    with pytest.raises(RpcRefusedError):
        split_fragment(fault)
    with pytest.raises(RpcRefusedError):
        read_shares(answer(code=5))
    with pytest.raises(RpcError) as raised:
        read_shares(answer(("public", 0, ""))[:40] + b"\0" * 4)
    assert raised.type is RpcError


def test_an_answer_in_fragments_is_put_together():
    def fragment(data, flags):
        return (
            struct.pack("<BBBB4sHHI", 5, 0, 2, flags, b"\x10\0\0\0", 24 + len(data), 0, 1) + b"\0" * 8 + data
        )

    first, second = fragment(b"ab", 1), fragment(b"c", 2)
    assert split_fragment(first[:10]) is None
    assert split_fragment(first + second) == (b"ab", False, second)
    assert split_fragment(second) == (b"c", True, b"")


def test_an_anonymous_login_holds_no_name():
    token = Anonymous().second(b"")
    lengths = [struct.unpack_from("<H", token, 12 + 8 * field)[0] for field in range(6)]
    assert lengths == [1, 0, 0, 0, 0, 0]
    assert token[64:] == b"\0"
