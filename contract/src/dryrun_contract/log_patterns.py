"""What a target's log is asked for: image manifests give patterns to these names, reports give counts."""

LOG_PATTERNS: dict[str, str] = {
    "errors": "errors that the server logged",
    "connections": "connections that were opened",
    "failed_logins": "logins that failed",
    "slow_queries": "queries that the server calls slow",
}
"""Name → what one matching log line stands for. An image without a pattern is not measured."""
