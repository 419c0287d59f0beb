"""What is counted in a target's log: image manifests define patterns by these names, reports have counts."""

from collections.abc import Mapping
from types import MappingProxyType

LOG_PATTERNS: dict[str, str] = {
    "errors": "errors that the server logged",
    "connections": "connections that were opened",
    "failed_logins": "logins that failed",
    "slow_queries": "queries that the server calls slow",
}
"""Name → what one matching log line means. An image without a pattern is not measured."""

SIDE_EFFECTS: Mapping[str, str] = MappingProxyType(
    {
        "pages_printed": "pages that a printer printed",
        "accounts_locked": "accounts that a directory locked",
        "restarts": "times that a device started again",
        "credentials_shown": "credentials shown to a host that should not have had them",
    }
)
"""Name → what one matching log line means: something that nobody wants on a production network.

Only targets that can suffer it have such a pattern.
"""
