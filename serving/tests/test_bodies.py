"""Bodies: judged before they are read, then bounded in time, bytes, values and number."""

import asyncio

import pytest


def take(*headers, name=b"a"):
    named = (b"X-Name: " + name,) if name else ()
    lines = (b"POST /take HTTP/1.1", b"Host: a", b"Connection: close", *named, *headers)
    return b"\r\n".join((*lines, b"", b""))


def length(size):
    return b"Content-Length: %d" % size


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


async def test_who_may_not_send_is_refused_before_a_byte_was_read(wire):
    assert status_of(await wire.ask(take(length(60_000), name=b""))) == 401


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ((length(9),), b"[1, 2, 3]", 200),
        ((length(65_537),), b"", 413),
        ((length(99_999_999_999_999_999_999),), b"", 413),
        ((b"Transfer-Encoding: chunked",), b"10001\r\n" + b" " * 0x10001, 413),
        ((length(60),), b"[" * 60, 422),
        ((length(301),), b"[" + b"1," * 150, 422),
        ((length(3),), b"\xff\xfe[", 422),
        ((length(21), b"Content-Type: application/x-www-form-urlencoded"), b"a&" * 10 + b"a", 422),
        ((length(60), b"Content-Type: application/x-www-form-urlencoded"), b"[" * 60, 200),
        ((length(3), b"Content-Type: multipart/form-data; boundary=x"), b"abc", 415),
    ],
    ids=[
        "small", "long", "longer than any", "chunks without end", "deep", "many values", "no UTF-8",
        "many fields", "a form is no JSON", "multipart",
    ],
)  # fmt: skip
async def test_a_body_has_bounds(wire, headers, body, status):
    assert status_of(await wire.ask(take(*headers), body)) == status


@pytest.mark.parametrize("served", [{"body_seconds": 0.3}], indirect=True)
async def test_a_body_that_does_not_come_has_a_deadline(wire):
    assert status_of(await wire.ask(take(length(100)), b"[", seconds=3)) == 408


@pytest.mark.parametrize("served", [{"small": (2, 1)}], indirect=True)
async def test_bodies_wait_for_a_place_of_their_sender_and_are_refused_when_none_comes(wire, monkeypatch):
    monkeypatch.setattr("dryrun_serving.bodies.PLACE_SECONDS", 0.3)
    async with wire.open() as (_, writer):
        writer.write(take(length(100)) + b"[")
        await asyncio.sleep(0.2)
        assert status_of(await wire.ask(take(length(2)), b"[]")) == 503
        assert status_of(await wire.ask(take(length(2), name=b"b"), b"[]")) == 200


async def test_a_large_body_counts_until_it_is_answered_and_a_small_one_until_it_came(
    wire, served, monkeypatch
):
    monkeypatch.setattr("dryrun_serving.bodies.PLACE_SECONDS", 0.3)
    served.may_answer.clear()
    large = take(length(70_000), b"X-Large: 1") + b'"' + b"x" * 69_998 + b'"'
    async with wire.open() as (_, writer), wire.open() as (small, small_writer):
        writer.write(large)
        small_writer.write(take(length(2)) + b"[]")
        await asyncio.sleep(0.3)
        assert status_of(await wire.ask(large)) == 503
        served.may_answer.set()
        assert status_of(await wire.rest(small, 5)) == 200
        await asyncio.sleep(0.1)
        assert status_of(await wire.ask(large)) == 200
