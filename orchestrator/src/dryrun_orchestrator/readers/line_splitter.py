"""Cuts a byte stream into lines of bounded length."""

from dataclasses import dataclass, field

from dryrun_contract.discovery import MAX_LINE_BYTES


@dataclass(slots=True)
class LineSplitter:
    """Splits a byte stream into lines; a line longer than `limit` bytes is cut."""

    count: int = 0
    limit: int = MAX_LINE_BYTES
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes and return the lines that are now complete; memory stays bounded."""
        lines = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._keep(data[start:end])
            lines.append(self._take())
            start = end + 1
        self._keep(data[start:])
        return lines

    def finish(self) -> list[bytes]:
        """Return the text after the last line break, if any."""
        return [self._take()] if self._rest else []

    def _keep(self, data: bytes) -> None:
        # One byte more than the limit, so that whoever parses it sees that the line is too long.
        self._rest += data[: self.limit + 1 - len(self._rest)]

    def _take(self) -> bytes:
        line = bytes(self._rest)
        self._rest.clear()
        self.count += 1
        return line
