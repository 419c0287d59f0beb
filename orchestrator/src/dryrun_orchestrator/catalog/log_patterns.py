"""Reads the patterns that classify lines of a target's log."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from dryrun_contract.log_patterns import LOG_PATTERNS, SIDE_EFFECTS
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.yaml_tree import Node

MAX_PATTERN_CHARACTERS = 500


def read_log_patterns(node: Node) -> Mapping[str, str]:
    """Return name → regular expression. Every fault goes into the node's report."""
    found: dict[str, str] = {}
    for name, entry in node.fields(dict.fromkeys((*LOG_PATTERNS, *SIDE_EFFECTS), False)).items():
        pattern = entry.string(max_length=MAX_PATTERN_CHARACTERS)
        if pattern is None:
            continue
        try:
            empty = re.compile(pattern).search("")
        except (re.PatternError, OverflowError, RecursionError) as error:
            entry.fault(f"is not a regular expression: {printable(str(error))}")
            continue
        if empty:
            entry.fault("matches an empty line, so it would count every line")
            continue
        found[name] = pattern
    return MappingProxyType(found)
