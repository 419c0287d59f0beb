"""What a reader says: the contract's lines, with every text cut."""

from pydantic import JsonValue, ValidationError

from dryrun_contract.discovery import DiscoveryLine, EndLine, ProgressLine, WarningLine
from dryrun_contract.text import printable

type Word = DiscoveryLine | ProgressLine | WarningLine | EndLine


def warning(what: str) -> WarningLine:
    """Return a warning whose text is bounded and printable."""
    return WarningLine(message=printable(what, limit=300)[:500])


def discovery(
    kind: str, key: str, data: dict[str, JsonValue], confidence: float
) -> DiscoveryLine | WarningLine:
    """Return a discovery, or a warning where the key is invalid."""
    try:
        return DiscoveryLine(kind=kind, key=key, data=data, confidence=confidence)
    except ValidationError:
        return warning(f"a {kind} with an invalid key: {key[:120]}")
