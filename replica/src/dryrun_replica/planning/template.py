"""Writes the templates of a plan: Compose files that refer to stand-ins by name.

Nothing of an inventory's text gets into one but names of hosts and products, which are inert by their
patterns; PyYAML quotes what it has to. A service without `x-ground-truth` takes its image's.
"""

from collections.abc import Container, Mapping

import yaml

from dryrun_contract.text import counted
from dryrun_replica.planning.census import census_of
from dryrun_replica.planning.plan import Plan, PlannedTemplate
from dryrun_replica.planning.summary import levels_of, made_from, sentence

MAX_TITLE = 80
MAX_DESCRIPTION = 2000
MAX_MADE_FROM = 200
_HEADING = """\
# A replica: stands for a real network, of which it holds no name and no address unless its maker kept them.
# Written by `dryrun-local network import`; made again rather than changed by hand.
"""


def template_text(plan: Plan, template: PlannedTemplate, images: Mapping[str, str]) -> str:
    """Return the file of one template. `images` has the image of each host: titles differ within a class."""
    services = {host: {"image": images[host]} for chosen in template.sample.chosen for host in chosen.hosts}
    document = {
        "x-dryrun": {
            "title": _title(plan, template),
            "description": description(plan, template),
            **_credentials(plan, services),
            "stands_for": _stands_for(plan, template),
        },
        "services": services,
    }
    text = yaml.safe_dump(document, sort_keys=False, width=108, allow_unicode=False)
    # Compose replaces variables in every text.
    return _HEADING + text.replace("$", "$$")


def _title(plan: Plan, template: PlannedTemplate) -> str:
    number = template.id.removeprefix(plan.name).lstrip("-")
    part = f", part {int(number)} of {len(plan.templates)}" if number else ""
    return f"Replica {plan.name}{part}"[:MAX_TITLE]


def description(plan: Plan, template: PlannedTemplate) -> str:
    """Return how the hosts were chosen, and what no target stands for."""
    sample = template.sample
    if len(plan.templates) > 1:
        text = (
            f"A part of a real network: {sample.targets} of {plan.hosts} hosts, each by a target of its own."
        )
    else:
        text = (
            f"A sample of a real network, with seed {sample.seed}: "
            f"{counted(sample.targets, 'target stands', 'targets stand')} for {counted(plan.hosts, 'host')}."
        )
    text += f" {sentence(plan.coverage)}."
    if sample.left_out:
        text += f" Without a target: {len(sample.left_out)} of {len(plan.classes)} classes of hosts."
    return text[:MAX_DESCRIPTION]


def _credentials(plan: Plan, services: Container[str]) -> dict[str, object]:
    """Return each credential with its services here; one without any is left out."""
    here = [(each, [host for host in each.hosts if host in services]) for each in plan.credentials]
    shown = [
        {**each.model_dump(exclude={"hosts"}, exclude_none=True), "services": hosts}
        for each, hosts in here
        if hosts
    ]
    return {"credentials": shown} if shown else {}


def _stands_for(plan: Plan, template: PlannedTemplate) -> dict[str, object]:
    """Return the origin as the orchestrator reads it, which takes no floats: weights are texts."""
    weights = {host: f"{each.weight:.6g}" for each in template.sample.chosen for host in each.hosts}
    return {
        "made_from": made_from(plan)[:MAX_MADE_FROM],
        "made_on": plan.made_at.date().isoformat(),
        "hosts": plan.hosts,
        "levels": levels_of(plan.coverage).model_dump(exclude_defaults=True),
        "weights": weights,
        "census": census_of(plan, template),
    }
