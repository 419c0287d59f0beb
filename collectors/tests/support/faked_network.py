"""What a test says of a network whose nmap is faked, and the assignment to scan it."""

from typing import Any

from discovery_collectors.collector import Assignment
from discovery_collectors.running.scope import Scope

ON_UDP: dict[tuple[str, int], Any] = {}
"""(address, port) → what answers there; all else is silent."""
SECOND_OPINIONS: dict[tuple[str, int], dict[str, Any]] = {}
"""(address, port) → what a second opinion adds there."""


def assignment(**options: Any) -> Assignment:
    """Return one whose targets are 10.0.0.0/25."""
    return Assignment(Scope.parse(["10.0.0.0/24"], ["10.0.0.128/25"]), **options)
