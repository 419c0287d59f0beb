"""Reads what a template counts of the real network that it stands for."""

import re
from collections.abc import Collection

from pydantic import ValidationError

from dryrun_contract.census import MAX_LISTED, Census, CensusClass, ClassService, ServiceCount
from dryrun_contract.fault_words import in_words
from dryrun_orchestrator.catalog.yaml_tree import Node, shown

_KEYS = {"network": True, "classes": True, "services": False, "beyond": False}
_CLASS_KEYS = {"hosts": True, "targets": True, "services": False}
_MOST_HOSTS = 1_000_000
_MOST_SERVICES = 100_000_000
_MOST_CLASSES = 20
_SERVICE = re.compile(
    r"(?:(?P<count>[1-9][0-9]{0,7}) )?(?P<place>[1-9][0-9]{0,4}/(?:tcp|udp)) "
    r"(?P<level>same_version|same_product|relative|banner|nothing)"
    r"(?: (?P<product>[!-~](?:[ -~]{0,78}[!-~])?))?"
)


def read_census(node: Node, services: Collection[str]) -> Census | None:
    """Return the census; None, with faults, when a part is missing or wrong."""
    fields = node.fields(_KEYS)
    network = fields["network"].text(max_length=20) if "network" in fields else None
    classes = _read_classes(fields["classes"], services) if "classes" in fields else None
    counted = _rows(fields["services"], counted=True) if "services" in fields else []
    beyond = fields["beyond"].integer(least=0, most=_MOST_SERVICES) if "beyond" in fields else 0
    if network is None or classes is None or counted is None or beyond is None:
        return None
    try:
        rows = tuple(map(ServiceCount.model_validate, counted))
        return Census(network=network, classes=classes, services=rows, beyond=beyond)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        node.fault(f"is not valid: {'.'.join(map(str, fault['loc']))}: {in_words(fault)}")
        return None


def _read_classes(node: Node, services: Collection[str]) -> tuple[CensusClass, ...] | None:
    entries = node.entries()
    if len(entries) > _MOST_CLASSES:
        node.fault(f"has {len(entries)} classes; at most {_MOST_CLASSES} are allowed")
        return None
    found = []
    for name, entry in entries.items():
        fields = entry.fields(_CLASS_KEYS)
        hosts = fields["hosts"].integer(least=1, most=_MOST_HOSTS) if "hosts" in fields else None
        targets = _read_targets(fields["targets"], services) if "targets" in fields else None
        rows = _rows(fields["services"]) if "services" in fields else []
        if hosts is None or targets is None or rows is None:
            return None
        try:
            own = tuple(map(ClassService.model_validate, rows))
            found.append(CensusClass(name=name, hosts=hosts, targets=targets, services=own))
        except ValidationError as error:
            entry.fault(f"is not valid: {in_words(error.errors(include_url=False, include_input=False)[0])}")
            return None
    return tuple(found)


def _read_targets(node: Node, services: Collection[str]) -> tuple[str, ...] | None:
    texts = [item.text(max_length=63) for item in node.items()]
    for item, text in zip(node.items(), texts, strict=True):
        if text is not None and text not in services:
            item.fault(f"there is no service {shown(text)} that could stand for hosts")
            return None
    known = tuple(text for text in texts if text is not None)
    return known if len(known) == len(texts) else None


def _rows(node: Node, *, counted: bool = False) -> list[dict[str, str]] | None:
    """Return the parts of each row; None, with a fault, for a row of another shape or too many of them."""
    items = node.items()
    if len(items) > MAX_LISTED:
        node.fault(f"has {len(items)} rows; at most {MAX_LISTED} are allowed")
        return None
    found = []
    for item in items:
        text = item.text(max_length=140)
        if text is None:
            return None
        row = _SERVICE.fullmatch(text)
        if row is None or (row["count"] is not None) != counted:
            example = "'3 443/tcp same_version nginx'" if counted else "'443/tcp same_version nginx'"
            item.fault(f"is {shown(text)}; expected a text like {example}")
            return None
        found.append({name: value for name, value in row.groupdict().items() if value is not None})
    return found
