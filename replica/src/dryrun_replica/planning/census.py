"""Counts a network for its templates: forecasts are made from it, production is compared with it.

Only numbers, places, products and levels get in: what the plan shows of every class anyway.
"""

import hashlib
import json
from collections import Counter

from dryrun_contract.census import MAX_LISTED
from dryrun_replica.planning.plan import Plan, PlannedService, PlannedTemplate


def census_of(plan: Plan, template: PlannedTemplate) -> dict[str, object]:
    """Return the census as a template carries it: a text for each service, which the orchestrator reads."""
    classes = {each.name: each for each in plan.classes}
    listed: dict[str, object] = {}
    room = MAX_LISTED
    for chosen in template.sample.chosen:
        host_class = classes[chosen.host_class]
        services = [_text(service) for service in host_class.services[:room]]
        room -= len(services)
        listed[host_class.name] = {
            "hosts": host_class.hosts,
            "targets": list(chosen.hosts),
            "services": services,
        }
    counts: Counter[str] = Counter()
    for each in plan.classes:
        for service in each.services:
            counts[_text(service)] += each.hosts
    in_order = sorted(counts, key=lambda text: (-counts[text], text))
    return {
        "network": network_digest(plan),
        "classes": listed,
        "services": [f"{counts[text]} {text}" for text in in_order[:MAX_LISTED]],
        "beyond": sum(counts[text] for text in in_order[MAX_LISTED:]),
    }


def network_digest(plan: Plan) -> str:
    """Return the same for every plan of one inventory, whatever hosts it chose."""
    words = [
        [each.name, each.hosts, [[service.place, service.label, service.tls] for service in each.services]]
        for each in plan.classes
    ]
    return f"n{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]}"


def _text(service: PlannedService) -> str:
    return f"{service.place} {service.match.level.value} {service.product or ''}".strip()
