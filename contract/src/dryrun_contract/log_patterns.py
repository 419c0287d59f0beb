"""What is counted in a target's log: image manifests define patterns by these names, reports have counts."""

LOG_PATTERNS: dict[str, str] = {
    "errors": "errors that the server logged",
    "connections": "connections that were opened",
    "failed_logins": "logins that failed",
    "slow_queries": "queries that the server calls slow",
}
"""Name → what one matching log line means. An image without a pattern is not measured."""
