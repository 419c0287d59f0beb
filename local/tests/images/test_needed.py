"""What an experiment needs: images of its networks and of the collectors that it may run, no others."""

import pytest

from dryrun_contract.experiment import ExperimentRequest
from dryrun_local.images.needed import UnknownTemplateError, for_experiment, images_of
from dryrun_local.machine.added_folders import gather
from dryrun_local.machine.installation import Installation

ROOT = Installation.here().root
OFFICE = """\
x-dryrun:
  title: Office
  description: An SSH server.
  collectors: [nmap]
services:
  shell:
    image: discovery/test-ssh:10.0
"""


@pytest.fixture
def installation(tmp_path):
    added = tmp_path / "scanners"
    (added / "templates").mkdir(parents=True)
    (added / "templates" / "office.yml").write_text(OFFICE)
    made = Installation(ROOT, tmp_path / "state", (added,))
    made.prepare()
    return made


def request(template, **collectors):
    return ExperimentRequest(name="x", templates=(template,), collectors=collectors)


def needed(installation, wanted):
    own = for_experiment(installation, wanted)
    images = images_of(own, wanted.templates, wanted.seeds)
    return {image for image in images if "collector-" in image and "probe" not in image}


def test_only_collectors_that_it_may_run_have_to_be_there(installation):
    assert needed(installation, request("office")) == {"discovery/test-collector-nmap:7.95"}
    assert needed(installation, request("office", ours=("network",))) == {
        "discovery/test-collector-nmap:7.95",
        "discovery/test-collector-network:1.0",
    }


def test_a_template_that_names_no_collector_needs_all_that_discover(installation):
    (installation.added[0] / "templates" / "office.yml").write_text(
        OFFICE.replace("  collectors: [nmap]\n", "")
    )
    images = needed(installation, request("office"))
    assert "discovery/test-collector-database:1.0" in images
    assert "discovery/test-collector-nmap:7.95" not in images, "it is for comparison"


def test_the_orchestrator_reads_their_manifests_and_no_others(installation):
    own = for_experiment(installation, request("office", ours=("network",)))
    assert gather(own)
    assert sorted(path.name for path in own.manifests.glob("*.yml")) == ["network.yml", "nmap.yml"]
    assert gather(installation)
    assert (installation.manifests / "database.yml").is_file(), "what runs next reads all of them again"


def test_without_added_folders_the_projects_templates_are_read_where_they_are(tmp_path):
    plain = Installation(ROOT, tmp_path / "state")
    plain.prepare()
    own = for_experiment(plain, request("small", ours=("network",)))
    before = sorted((ROOT / "templates").iterdir())
    assert gather(own)
    assert own.templates == ROOT / "templates"
    assert own.manifests != plain.manifests
    assert sorted((ROOT / "templates").iterdir()) == before


def test_a_collector_whose_manifest_has_another_name_leaves_all_of_them(installation, tmp_path):
    manifests = installation.added[0] / "manifests"
    manifests.mkdir()
    text = (ROOT / "collectors" / "manifests" / "nmap.yml").read_text().replace("name: nmap", "name: other")
    (manifests / "theirs.yml").write_text(text)
    assert for_experiment(installation, request("office", theirs=("other",))).collectors is None


def test_an_unknown_template_is_named(installation):
    installation.replica_templates.mkdir(parents=True)
    (installation.replica_templates / "acme.yml").write_text(OFFICE)
    with pytest.raises(UnknownTemplateError, match="there is no template nowhere; there are acme, custom"):
        for_experiment(installation, request("nowhere"))
