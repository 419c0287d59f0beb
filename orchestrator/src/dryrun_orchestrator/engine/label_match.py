"""One rule for what "carries the label" means, because cleanup goes by nothing else."""

from collections.abc import Mapping


def carries(labels: Mapping[str, str], label: str) -> bool:
    """Whether `label`, a `key` or `key=value`, is among `labels`; the value is compared as a whole.

    >>> carries({"id": "12"}, "id"), carries({"id": "12"}, "id=12"), carries({"id": "12"}, "id=1")
    (True, True, False)
    """
    key, separator, value = label.partition("=")
    return key in labels and (not separator or labels[key] == value)
