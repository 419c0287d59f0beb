"""The catalogue of templates: what each has, its digests, and how it is looked up."""

import os

import pytest
from small_template import SMALL, allowlist, catalog

from dryrun_contract.collector_config import Credential
from dryrun_contract.ground_truth import Fact
from dryrun_contract.template import Template, TemplateService
from dryrun_orchestrator.catalog.template import TemplateCredential
from dryrun_orchestrator.catalog.templates import (
    TemplateFolderError,
    TemplateInvalidError,
    UnknownTemplateError,
)


def test_a_template_comes_with_all_that_a_session_is_built_from(folder):
    small = catalog(folder).get("small")
    assert (small.id, small.title, small.description) == (
        "small",
        "Small company",
        "A web server and its twin.",
    )
    assert [service.name for service in small.services] == ["twin", "web"]
    assert small.services[1].environment == {"SITE": "shop"}
    assert small.credentials == (
        TemplateCredential(engine="postgresql", username="reader", password="a$b "),
        TemplateCredential(engine="redis", password="", services=("web",)),
    )
    assert [each.name for each in small.collectors] == ["network", "database"]


def test_readers_see_the_contracts_template_with_keys_by_service_and_facts_replaced(folder):
    full = catalog(folder).get("small").full()
    assert Template.model_validate_json(full.model_dump_json()) == full
    assert full.services[1] == TemplateService(
        name="web", image="discovery/test-nginx:1.26", depends_on=("twin",)
    )
    assert full.collectors == ("network", "database")
    assert [(fact.key, fact.data, fact.hard) for fact in full.ground_truth.facts] == [
        ("web", {}, None),
        ("web:80/tcp", {"product": "nginx", "version": "1.26.3"}, None),
        ("twin", {}, "nothing is open"),
        ("twin:80/tcp", {}, None),
        ("twin:81/tcp", {}, None),
    ]


def test_a_summary_contains_no_ground_truth_and_no_password(folder):
    text = catalog(folder).get("small").summary().model_dump_json()
    assert "ground_truth" not in text
    assert "1.26.3" not in text
    assert "a$b" not in text


def test_the_digest_changes_with_the_file_the_used_facts_and_the_images_and_with_nothing_else(folder):
    digest = catalog(folder).get("small").digest
    assert digest.startswith("sha256:")
    assert catalog(folder, allowlist(facts={"unused": "y"})).get("small").digest == digest
    others = {
        catalog(folder, allowlist(facts={"version": "1.26.4"})).get("small").digest,
        catalog(folder, allowlist(id=f"sha256:{'9' * 64}")).get("small").digest,
    }
    (folder / "small.yml").write_text(SMALL + "# a comment\n")
    others.add(catalog(folder).get("small").digest)
    assert len(others | {digest}) == 4


def test_the_task_digest_is_that_of_what_is_to_be_found_wherever_the_images_were_built(folder):
    digest = catalog(folder).get("small").task_digest
    assert catalog(folder, allowlist(id=f"sha256:{'9' * 64}")).get("small").task_digest == digest
    others = {
        catalog(folder, allowlist(facts={"version": "1.26.4"})).get("small").task_digest,
    }
    (folder / "small.yml").write_text(SMALL + "# a comment\n")
    assert catalog(folder).get("small").task_digest == digest
    (folder / "small.yml").write_text(SMALL.replace("a$$b", "another"))
    others.add(catalog(folder).get("small").task_digest)
    assert len(others | {digest}) == 3


def test_a_service_without_ground_truth_takes_its_images(folder):
    own = (Fact(kind="host", key=""), Fact(kind="service", key=":443/tcp", data={"product": "nginx"}))
    (folder / "small.yml").write_text(SMALL.partition("    x-ground-truth:")[0] + "  twin:\n    image: "
                                      "discovery/test-nginx:1.26\n    x-ground-truth:\n"
                                      '      - {kind: host, key: ""}\n')  # fmt: skip
    small = catalog(folder, allowlist(ground_truth=own)).get("small")
    facts = {fact.key: fact.data for fact in small.ground_truth.facts}
    assert facts == {"web": {}, "web:443/tcp": {"product": "nginx"}, "twin": {}}
    assert catalog(folder, allowlist(ground_truth=own[:1])).get("small").digest != small.digest


def test_an_unknown_id_gets_an_error_that_lists_the_known_ones(folder):
    (folder / "large.yml").write_text("[")
    with pytest.raises(UnknownTemplateError) as raised:
        catalog(folder).get("smal")
    assert raised.value.known == ("large", "small")
    assert str(raised.value) == (
        "there is no template 'smal'; did you mean 'small'? Known templates are: large, small. "
        "An imported network is one of them some seconds after its import; in a deployment, "
        "after deploy/prepare"
    )


@pytest.mark.parametrize(
    "template_id", ["../small", "small.yml", "/etc/passwd", "", "SMALL", "small\n", "\x1b[31m"]
)
def test_an_id_is_looked_up_and_never_a_path(folder, template_id):
    with pytest.raises(UnknownTemplateError, match="Known templates are: small") as raised:
        catalog(folder).get(template_id)
    assert "\x1b" not in str(raised.value)


def test_a_template_may_ask_for_some_of_the_collectors(folder):
    (folder / "small.yml").write_text(SMALL.replace("  title", "  collectors: [network]\n  title"))
    assert catalog(folder).get("small").summary().collectors == ("network",)


def test_a_broken_file_takes_only_itself_out_and_stays_visible(folder):
    (folder / "broken.yml").write_text("services: [")
    (folder / "Bad Name.yml").write_text(SMALL)
    (folder / "notes.txt").write_text("no template")
    loaded = catalog(folder)
    assert loaded.ids() == ("broken", "small")
    assert [template.id for template in loaded.valid()] == ["small"]
    assert [fault.where.partition(":")[0] for fault in loaded.faults()] == [
        "templates/Bad Name.yml",
        "templates/broken.yml",
    ]
    with pytest.raises(
        TemplateInvalidError, match="the template 'broken' is not valid: 1 problem\n"
    ) as raised:
        loaded.get("broken")
    assert raised.value.template_id == "broken"


def test_links_pipes_and_large_files_are_no_templates(folder, tmp_path):
    outside = tmp_path / "outside.yml"
    outside.write_text(SMALL)
    (folder / "link.yml").symlink_to(outside)
    os.mkfifo(folder / "pipe.yml")
    (folder / "large.yml").write_text(SMALL + "#" * 256 * 1024)
    loaded = catalog(folder)
    assert [template.id for template in loaded.valid()] == ["small"]
    for template_id, why in (("link", "symbolic link"), ("pipe", "regular file"), ("large", "256 KiB")):
        with pytest.raises(TemplateInvalidError, match=why):
            loaded.get(template_id)


def test_what_was_read_at_start_stays_as_it_was(folder):
    loaded = catalog(folder)
    (folder / "small.yml").write_text("[")
    assert loaded.get("small").title == "Small company"


def test_a_missing_folder_stops_the_start(tmp_path):
    with pytest.raises(TemplateFolderError, match="nowhere: cannot be read"):
        catalog(tmp_path / "nowhere")


def test_a_credential_for_named_services_is_shown_at_their_addresses_only():
    addresses = {"web": "10.213.0.3", "db": "10.213.0.4"}
    everywhere = TemplateCredential(engine="redis", password="x")
    bound = TemplateCredential(engine="redis", password="x", services=("db",))
    subnet = "10.213.0.0/27"
    assert everywhere.shown_at(addresses, subnet) == Credential(engine="redis", password="x", at=(subnet,))
    shown = bound.shown_at(addresses, subnet)
    assert shown == Credential(engine="redis", password="x", at=("10.213.0.4",))
    assert not any(shown.may_be_shown("10.213.0.3", in_clear=clear) for clear in (True, False))
    # Without an address it would be shown everywhere.
    with pytest.raises(KeyError):
        bound.shown_at({}, subnet)
