"""What earlier collectors found comes as one line of input; what is no such line is skipped."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import pytest

from discovery_collectors.collector import CollectorError
from discovery_collectors.running.handed_over import take_discoveries
from dryrun_contract.collector_config import MAX_INPUT_BYTES, to_input
from dryrun_contract.discovery import Discovery

FOUND = (Discovery(kind="service", key="10.213.0.2:5432/tcp", data={"name": "postgresql", "x": "\u2028<é"}),)


@pytest.fixture
def ends() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The reading and the writing end of a pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        yield source, sink


@pytest.mark.parametrize("before", [b"", b"\n\n", b'{"discoveries":[{"kind":"serv', b"\xff\n[]\n{}\n"])
async def test_takes_the_first_line_that_holds_discoveries(ends, before):
    source, sink = ends
    sink.write(before + to_input(FOUND) + to_input(()))
    assert await take_discoveries(source) == FOUND


async def test_an_input_that_ends_first_is_an_error(ends):
    source, sink = ends
    sink.write(b"\n")
    sink.close()
    with pytest.raises(CollectorError, match="ended before the discoveries came"):
        await take_discoveries(source)


async def test_a_line_without_an_end_is_an_error(ends):
    source, sink = ends
    # A pipe holds 64 KiB: somebody has to go on writing, until the reader closes.
    writing = asyncio.create_task(asyncio.to_thread(sink.write, b"x" * (3 * MAX_INPUT_BYTES)))
    with pytest.raises(CollectorError, match="longer than"):
        await take_discoveries(source)
    with suppress(BrokenPipeError):
        await writing


async def test_no_socket_becomes_standard_input_afterwards(ends):
    source, sink = ends
    sink.write(to_input(FOUND))
    await take_discoveries(source)
    await asyncio.sleep(0)  # in which the pipe is closed
    with socket.socket() as other:
        assert other.fileno() != source.fileno()
    assert os.read(source.fileno(), 1) == b""


@pytest.mark.parametrize("name", ["file", os.devnull])
async def test_an_input_that_nobody_can_write_to_is_an_error(tmp_path, name):
    (tmp_path / "file").write_bytes(to_input(FOUND))
    with os.fdopen(os.open(tmp_path / name, os.O_RDONLY), "rb") as source:
        async with asyncio.timeout(1):
            with pytest.raises(CollectorError, match="not the pipe"):
                await take_discoveries(source)
