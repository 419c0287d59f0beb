"""What a plan writes, the orchestrator reads: by its own reader, with its own limits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import READ_AT, host, network, service
from simple_recipes import match_host

from dryrun_contract.collector_config import CONFIG_KEYS
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.template_reader import read_template
from dryrun_orchestrator.catalog.yaml_tree import FaultList
from dryrun_replica.planning.plan import make_plan
from dryrun_replica.planning.template import template_text

COLLECTOR = AllowedImage("discovery/test-collector-network:1", f"sha256:{'2' * 64}", frozenset(CONFIG_KEYS))
MANIFESTS = CollectorManifests(
    {
        "network": CollectorManifest(
            "network", COLLECTOR, "x", frozenset({"host", "service"}), frozenset(), 60, "quick"
        )
    }
)


def loaded(inventory, **options):
    plan = make_plan("acme", inventory, match_host, READ_AT, **options)
    images = {
        name: f"discovery/test-stand-in:{each.host_class}"
        for template in plan.templates
        for each in template.sample.chosen
        for name in each.hosts
    }
    rows = [AllowedImage(image, f"sha256:{'1' * 64}") for image in {*images.values()}]
    allowlist = Allowlist("allowlist.json", {row.name: row for row in [*rows, COLLECTOR]})
    found = []
    for template in plan.templates:
        report = FaultList(template.id)
        text = template_text(plan, template, images)
        found.append(read_template(template.id, text.encode(), report, allowlist, MANIFESTS))
        assert report.faults == ()
    return plan, found


@st.composite
def networks(draw):
    products = st.sampled_from(["nginx", "Own (thing) - 1.0", "a, b + c/d", "OpenSSH", "yes", "0x10", "1.0"])
    hosts = draw(st.lists(st.lists(products, max_size=3), min_size=1, max_size=60))
    return network(
        *(
            host(f"h-{number}", *(service(1000 + port, product) for port, product in enumerate(held)))
            for number, held in enumerate(hosts, 1)
        )
    )


@settings(max_examples=40)
@given(networks(), st.booleans(), st.integers(0, 9999))
def test_every_template_of_a_plan_is_valid(inventory, all_hosts, seed):
    plan, templates = loaded(inventory, all_hosts=all_hosts, seed=seed)
    for template, planned in zip(templates, plan.templates, strict=True):
        assert template is not None
        assert len(template.services) == planned.sample.targets <= 20
        known = template.summary().stands_for
        assert known is not None
        assert (known.hosts, known.levels.services) == (plan.hosts, plan.coverage.services)
        assert known.weights.keys() == {service.name for service in template.services}
    stood_for = sum(sum(template.stands_for.weights.values()) for template in templates)
    left_out = sum(each.hosts for planned in plan.templates for each in planned.sample.left_out)
    assert stood_for + left_out == pytest.approx(plan.hosts, rel=1e-4)


def test_a_plan_of_the_longest_texts_is_still_a_valid_template():
    hosts = [host(f"h-{n}", service(n + 1, f"{n:02} {'x' * 76}", "9" * 60)) for n in range(60)]
    _, [template] = loaded(network(*hosts))
    assert template is not None
    assert len(template.description) <= 2000
