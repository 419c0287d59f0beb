"""Defines when an object carries a label, because cleanup relies on nothing else."""

from collections.abc import Mapping


def carries(labels: Mapping[str, str], label: str) -> bool:
    """Return whether `label`, a `key` or `key=value`, is among `labels`; values are compared exactly.

    >>> carries({"id": "12"}, "id"), carries({"id": "12"}, "id=12"), carries({"id": "12"}, "id=1")
    (True, True, False)
    """
    key, separator, value = label.partition("=")
    return key in labels and (not separator or labels[key] == value)
