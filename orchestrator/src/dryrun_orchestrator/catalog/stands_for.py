"""Reads what a template says of the real network that it stands for."""

import re
from collections.abc import Collection
from datetime import date

from pydantic import ValidationError

from dryrun_contract.fault_words import in_words
from dryrun_contract.template import Levels, StandsFor
from dryrun_orchestrator.catalog.census import read_census
from dryrun_orchestrator.catalog.yaml_tree import Node, shown

_KEYS = {
    "made_from": True,
    "made_on": True,
    "hosts": True,
    "levels": True,
    "weights": False,
    "census": False,
}
_LEVELS = {name: field.is_required() for name, field in Levels.model_fields.items()}
_MOST_SERVICES = 100_000_000
_MOST_HOSTS = 1_000_000
_DECIMAL = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")


def read_stands_for(node: Node, services: Collection[str]) -> StandsFor | None:
    """Return what the template stands for; None, with faults, when a part is missing or wrong."""
    fields = node.fields(_KEYS)
    made_from = fields["made_from"].text(max_length=200) if "made_from" in fields else None
    made_on = _read_date(fields["made_on"]) if "made_on" in fields else None
    hosts = fields["hosts"].integer(least=1, most=_MOST_HOSTS) if "hosts" in fields else None
    levels = _read_levels(fields["levels"]) if "levels" in fields else None
    weights = _read_weights(fields["weights"], services) if "weights" in fields else {}
    census = read_census(fields["census"], services) if "census" in fields else None
    if made_from is None or made_on is None or hosts is None or levels is None:
        return None
    return StandsFor(
        made_from=made_from, made_on=made_on, hosts=hosts, levels=levels, weights=weights, census=census
    )


def _read_levels(node: Node) -> Levels | None:
    fields = node.fields(_LEVELS)
    counts = {name: field.integer(least=0, most=_MOST_SERVICES) for name, field in fields.items()}
    if any(counts.get(name) is None for name, required in _LEVELS.items() if required or name in counts):
        return None
    try:
        return Levels.model_validate(counts)
    except ValidationError as error:
        node.fault(in_words(error.errors()[0]))
        return None


def _read_date(node: Node) -> date | None:
    text = node.text(max_length=10)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        node.fault(f"is {shown(text)}; expected a date in quotes, e.g. '2026-01-31'")
        return None


def _read_weights(node: Node, services: Collection[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in node.entries().items():
        text = value.text(max_length=20)
        if name not in services:
            value.fault(f"there is no service {shown(name)} that could stand for hosts")
        elif text is not None and (not _DECIMAL.fullmatch(text) or not float(text)):
            value.fault(f"is {shown(text)}; expected a number above 0 in quotes, e.g. '2.5'")
        elif text is not None:
            found[name] = float(text)
    return found
