"""Parses the engine's raw log stream, so that a cut stream is never mistaken for its end."""

from collections.abc import Iterator
from typing import Literal

from dryrun_orchestrator.engine.errors import TransientEngineError
from dryrun_orchestrator.engine.protocol import LogChunk

_HEADER_BYTES = 8
_STDIN, _STDOUT, _STDERR, _ENGINE_ERROR = 0, 1, 2, 3
_FRAME_CEILING_BYTES = 1024 * 1024
"""The engine splits lines at 16 KiB; a much longer frame is invalid."""


class LogFrameError(Exception):
    """These bytes are not an engine's log stream."""


class LogFrames:
    """Parser of `application/vnd.docker.multiplexed-stream`.

    Each frame is one byte of stream type (1 stdout, 2 stderr, 3 an error of the engine), three zero bytes,
    the payload's length as four bytes, big-endian, and the payload (Engine API, `ContainerAttach`).

    >>> frames = LogFrames()
    >>> list(frames.feed(bytes([1, 0, 0, 0, 0, 0, 0, 2]) + b"o"))
    []
    >>> frames.is_between_frames
    False
    >>> list(frames.feed(b"k"))
    [LogChunk(stream='stdout', data=b'ok')]
    """

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here without loss."""
        return not self._rest

    def feed(self, data: bytes) -> Iterator[LogChunk]:
        """Yield the chunks that `data` completes; adjacent frames of one stream form one chunk.

        Raises TransientEngineError when the engine reports in the stream that it failed to read the log, and
        LogFrameError for invalid bytes.
        """
        buffer = self._rest + data if self._rest else data
        position, end = 0, len(buffer)
        stream = 0
        pieces: list[bytes] = []
        while end - position >= _HEADER_BYTES:
            body = position + _HEADER_BYTES
            length = int.from_bytes(buffer[position + 4 : body])
            _check_header(buffer[position:body], length)
            if end - body < length:
                break
            if buffer[position] != stream:
                yield from _chunk(stream, pieces)
                stream, pieces = buffer[position], []
            pieces.append(buffer[body : body + length])
            position = body + length
        self._rest = buffer[position:]
        yield from _chunk(stream, pieces)


def _check_header(header: bytes, length: int) -> None:
    if header[0] > _ENGINE_ERROR or header[1:4] != b"\0\0\0" or length > _FRAME_CEILING_BYTES:
        raise LogFrameError(f"a frame cannot begin with {header.hex(' ')}")


def _chunk(stream: int, pieces: list[bytes]) -> Iterator[LogChunk]:
    data = b"".join(pieces)
    if not data:
        return
    if stream == _ENGINE_ERROR:
        raise TransientEngineError(
            f"the engine failed to read the log: {data.decode(errors='replace').strip()}; read it again"
        )
    name: Literal["stdout", "stderr"] = "stderr" if stream == _STDERR else "stdout"
    yield LogChunk(stream=name, data=data)
