"""The log stream's parser gives back what the engine framed, however it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_orchestrator.engine.errors import TransientEngineError
from dryrun_orchestrator.engine.log_frames import LogFrameError, LogFrames
from dryrun_orchestrator.engine.protocol import LogChunk

NUMBERS = {"stdout": 1, "stderr": 2}
frames = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=40)), max_size=20)


def framed(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4) + data


def joined(chunks: list[LogChunk]) -> list[tuple[str, bytes]]:
    """Join neighbours of one stream: where chunks are cut does not matter."""
    result: list[tuple[str, bytes]] = []
    for chunk in chunks:
        if result and result[-1][0] == chunk.stream:
            result[-1] = (chunk.stream, result[-1][1] + chunk.data)
        else:
            result.append((chunk.stream, chunk.data))
    return result


@given(frames, st.lists(st.integers(1, 30), max_size=60))
def test_gives_back_what_was_framed_however_it_is_cut(said, steps):
    raw = b"".join(framed(NUMBERS[stream], data) for stream, data in said)
    parser, chunks, position = LogFrames(), [], 0
    for step in [*steps, len(raw) + 1]:
        chunks += parser.feed(raw[position : position + step])
        position += step
    assert parser.is_between_frames
    assert joined(chunks) == joined([LogChunk(stream, data) for stream, data in said if data])


@given(st.binary(min_size=1, max_size=40), st.data())
def test_knows_that_it_is_in_the_middle_of_a_frame(data, draw):
    raw = framed(1, data)
    cut = draw.draw(st.integers(1, len(raw) - 1))
    parser = LogFrames()
    assert list(parser.feed(raw[:cut])) == []
    assert not parser.is_between_frames
    assert list(parser.feed(raw[cut:])) == [LogChunk("stdout", data)]
    assert parser.is_between_frames


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 200 OK", framed(4, b"x"), bytes([1, 1, 0, 0, 0, 0, 0, 1]), b"\x01\0\0\0\xff\xff\xff\xff"],
)
def test_refuses_what_is_no_frame(raw):
    with pytest.raises(LogFrameError):
        list(LogFrames().feed(raw))


def test_an_error_that_the_engine_puts_into_the_stream_is_an_error():
    parser = LogFrames()
    stream = parser.feed(framed(1, b"so far\n") + framed(3, b"Error grabbing logs: EOF\n"))
    assert next(stream) == LogChunk("stdout", b"so far\n")
    with pytest.raises(TransientEngineError, match="Error grabbing logs: EOF"):
        next(stream)


@given(st.binary(max_size=200))
def test_fails_on_hostile_bytes_in_known_ways_only(raw):
    try:
        list(LogFrames().feed(raw))
    except (LogFrameError, TransientEngineError):
        return
