"""The templates that come with the project."""

import re
from pathlib import Path

import pytest

from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.templates import TemplateCatalog

ROOT = Path(__file__).parents[3]
_IN_NO_TEMPLATE = {"discovery/test-every-port:1.0"}
"""Its open ports count as false positives, whoever scans it (docs/collectors/network.md, limits)."""


@pytest.fixture
def installed():
    """The templates of the project, with the images built here."""
    allowed = load_allowlist(ROOT / ".dryrun" / "allowlist.json")
    manifests = load_collector_manifests(ROOT / "collectors" / "manifests", allowed)
    return TemplateCatalog([ROOT / "templates"], allowed, manifests), allowed


@pytest.mark.engine
def test_every_template_that_comes_with_the_project_is_valid_with_the_images_built_here(installed):
    catalog, _ = installed
    assert catalog.faults() == ()
    assert "small" in catalog.ids()


@pytest.mark.engine
def test_every_target_image_but_those_named_here_stands_in_a_template(installed):
    catalog, allowed = installed
    used = {
        service.image.name
        for template in catalog.ids()
        for seed in range(50)
        for service in catalog.get(template, seed).services
    }
    targets = {name for name, image in allowed.images.items() if image.role == "target"}
    assert targets >= _IN_NO_TEMPLATE
    assert used == targets - _IN_NO_TEMPLATE


@pytest.mark.engine
def test_the_readme_says_how_many_machines_and_facts_a_template_has(installed):
    catalog, _ = installed
    readme = (ROOT / "templates" / "README.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \| (\d+) \| (\d+), (\d+) \|", readme, re.MULTILINE)
    documented = {template: tuple(map(int, figures)) for template, *figures in rows}
    counted = {}
    for template in catalog.ids():
        full = catalog.get(template).full()
        facts = full.ground_truth.facts
        hard = sum(fact.hard is not None for fact in facts)
        counted[template] = (len(full.services), len(facts), hard)
    assert documented == counted


def test_every_template_of_the_project_names_its_collectors_so_that_a_new_manifest_joins_none():
    for path in (Path(__file__).parents[3] / "templates").glob("*.yml"):
        assert "  collectors: [" in path.read_text(), path.name
