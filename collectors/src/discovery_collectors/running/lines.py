"""Writes a collector's output: one JSON object a line, each flushed, ended by the end line."""

from typing import BinaryIO

from pydantic import JsonValue, ValidationError

from dryrun_contract.discovery import (
    MAX_LINE_BYTES,
    DiscoveryLine,
    EndLine,
    ProgressLine,
    WarningLine,
)
from dryrun_contract.fault_words import in_words
from dryrun_contract.network import MAX_NETWORKS, AnyNetwork, joined, plain_network
from dryrun_contract.text import printable

_MESSAGE_CHARACTERS = 500
"""What the contract takes."""


class LineWriter:
    """Writes the contract's lines. None is kept: memory stays flat at any length."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._discoveries = 0
        self._not_covered: list[AnyNetwork] = []

    def discovery(self, kind: str, key: str, data: dict[str, JsonValue], confidence: float = 1.0) -> None:
        """Report one thing found. What does not fit the contract becomes a warning, not a broken line."""
        try:
            line = DiscoveryLine(kind=kind, key=key, data=data, confidence=confidence)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            self.warning(f"left out a {kind}: {in_words(problem)}")
            return
        text = _encode(line)
        if len(text) > MAX_LINE_BYTES:
            self.warning(f"left out a {kind} of {len(text)} bytes, {MAX_LINE_BYTES} are the most: {key}")
            return
        self._write(text)
        self._discoveries += 1

    def progress(self, done: int, total: int | None, message: str) -> None:
        """Report how far the run is; `total` is None while unknown."""
        self._write(_encode(ProgressLine(done=done, total=total, message=_shown(message))))

    def warning(self, message: str) -> None:
        """Report something that could not be inspected."""
        self._write(_encode(WarningLine(message=_shown(message))))

    def not_covered(self, network: str) -> None:
        """Keep an address or network for the end line. What it has no room for is a warning each."""
        together = [*self._not_covered, plain_network(network)]
        if len(together) > MAX_NETWORKS:
            together = joined(together)
        if len(together) <= MAX_NETWORKS:
            self._not_covered = together
        else:
            self.warning(
                f"{network} is not looked at; the end line has room for {MAX_NETWORKS} such networks"
            )

    def end(self) -> None:
        """Write the last line, with the number of discovery lines before it and what was not looked at."""
        networks = tuple(map(str, joined(self._not_covered)))
        self._write(_encode(EndLine(discoveries=self._discoveries, not_covered=networks)))

    def _write(self, text: bytes) -> None:
        self._out.write(text + b"\n")
        self._out.flush()


def _encode(line: DiscoveryLine | ProgressLine | WarningLine | EndLine) -> bytes:
    # ASCII only: a reader that cuts at bytes, or knows another encoding, still sees the same text.
    return line.model_dump_json(ensure_ascii=True).encode("ascii")


def _shown(message: str) -> str:
    return printable(message, limit=_MESSAGE_CHARACTERS)[:_MESSAGE_CHARACTERS]
