"""Labels of hosts: the fleet file gives them, and a template may ask for them."""

import re
from collections.abc import Mapping

from dryrun_contract.fleet import LABEL_KEY, LABEL_VALUE, MAX_LABELS
from dryrun_orchestrator.catalog.yaml_tree import Node, shown

_KEY, _VALUE = re.compile(LABEL_KEY), re.compile(LABEL_VALUE)


def read_labels(node: Node) -> Mapping[str, str]:
    """Read a map of labels; anything else is a fault."""
    entries = node.entries()
    if len(entries) > MAX_LABELS:
        node.fault(f"has {len(entries)} labels; at most {MAX_LABELS} are allowed")
    labels: dict[str, str] = {}
    for key, each in entries.items():
        if not _KEY.fullmatch(key):
            each.fault(f"{shown(key)} is not a label: lower case letters, digits, dots, dashes and slashes")
        value = each.text(max_length=63)
        if value is not None and not _VALUE.fullmatch(value):
            each.fault(f"is {shown(value)}; a value has letters, digits, dots, dashes and underscores")
        elif value is not None:
            labels[key] = value
    return labels
