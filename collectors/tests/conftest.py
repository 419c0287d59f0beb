"""What a collector reports, kept for assertions."""

import pytest
from pydantic import JsonValue


class RecordingEmit:
    """Stands where `LineWriter` stands, and keeps everything."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, str, dict[str, JsonValue], float]] = []
        self.warnings: list[str] = []
        self.skipped: list[str] = []
        self.progressed: list[tuple[int, int | None, str]] = []

    def discovery(self, kind: str, key: str, data: dict[str, JsonValue], confidence: float = 1.0) -> None:
        self.reported.append((kind, key, data, confidence))

    def progress(self, done: int, total: int | None, message: str) -> None:
        self.progressed.append((done, total, message))

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def not_covered(self, network: str) -> None:
        self.skipped.append(network)

    def keys(self, kind: str) -> list[str]:
        """Return the keys of that kind, in the order of their reports."""
        return [key for each, key, _, _ in self.reported if each == kind]

    def data(self, kind: str, key: str) -> dict[str, JsonValue]:
        """Return the last report of one thing."""
        return [data for each, at, data, _ in self.reported if (each, at) == (kind, key)][-1]


@pytest.fixture
def emit() -> RecordingEmit:
    return RecordingEmit()
