import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.collector_config import CONFIG_KEYS, Credential
from dryrun_contract.ground_truth import Fact
from dryrun_contract.template import Template, TemplateService
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import (
    CollectorManifest,
    CollectorManifests,
    load_collector_manifests,
)
from dryrun_orchestrator.catalog.template import TemplateCredential
from dryrun_orchestrator.catalog.templates import (
    TemplateCatalog,
    TemplateFolderError,
    TemplateInvalidError,
    UnknownTemplateError,
    load_template,
)


def allowlist(**changes):
    facts = {"version": "1.26.3", "unused": "x"} | changes.get("facts", {})
    images = [
        AllowedImage(
            "discovery/test-nginx:1.26",
            changes.get("id", f"sha256:{'1' * 64}"),
            frozenset({"SITE"}),
            facts=facts,
            ground_truth=changes.get("ground_truth", ()),
        ),
        AllowedImage("discovery/test-collector-network:1", f"sha256:{'2' * 64}", frozenset(CONFIG_KEYS)),
    ]
    return Allowlist("allowlist.json", {image.name: image for image in images})


def collector(name, provides, needs=()):
    image = allowlist().image("discovery/test-collector-network:1")
    return CollectorManifest(name, image, "x", frozenset(provides), frozenset(needs), 60, "quick")


MANIFESTS = CollectorManifests(
    {
        "database": collector("database", ["table"], ["service"]),
        "network": collector("network", ["host", "service"]),
    }
)
SMALL = """\
name: small
x-dryrun:
  title: Small company
  description: >
    A web server
    and its twin.
  credentials:
    - {engine: postgresql, username: reader, password: "a$$b "}
    - {engine: redis, password: "", services: [web]}
services:
  web:
    image: discovery/test-nginx:1.26
    environment: {SITE: shop}
    depends_on: [twin]
    x-ground-truth:
      - {kind: host, key: ""}
      - {kind: service, key: ":80/tcp", data: {product: nginx, version: {fact: version}}}
  twin:
    image: discovery/test-nginx:1.26
    x-ground-truth:
      - {kind: host, key: "", hard: nothing is open}
      - {kind: service, key: ":80/tcp"}
      - {kind: service, key: ":81/tcp"}
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "small.yml").write_text(SMALL)
    return folder


def catalog(folder, allowed=None):
    return TemplateCatalog([folder], allowed or allowlist(), MANIFESTS)


def faults(folder, text):
    (folder / "small.yml").write_text(text)
    with pytest.raises(TemplateInvalidError) as raised:
        catalog(folder).get("small")
    return [f"{fault.where}: {fault.what}" for fault in raised.value.faults]


def test_a_template_comes_with_all_that_a_session_is_built_from(folder):
    small = catalog(folder).get("small")
    assert (small.id, small.title, small.description) == (
        "small",
        "Small company",
        "A web server and its twin.",
    )
    assert [service.name for service in small.services] == ["twin", "web"]
    assert small.service("web").environment == {"SITE": "shop"}
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
        "there is no template 'smal'; did you mean 'small'? Known templates are: large, small"
    )


@pytest.mark.parametrize(
    "template_id", ["../small", "small.yml", "/etc/passwd", "", "SMALL", "small\n", "\x1b[31m"]
)
def test_an_id_is_looked_up_and_never_a_path(folder, template_id):
    with pytest.raises(UnknownTemplateError, match="Known templates are: small") as raised:
        catalog(folder).get(template_id)
    assert "\x1b" not in str(raised.value)


def test_five_mistakes_are_five_faults_with_their_places(folder):
    text = SMALL.replace("nginx:1.26\n    environment", "nginx:9\n    environment")
    text = text.replace("depends_on: [twin]", "depends_on: [twni]")
    text = text.replace("kind: service,", "kind: servise,", 1)
    text = text.replace("title: Small company", "title: 2026")
    text += "    privileged: true\n"
    reported = faults(folder, text)
    assert [each.partition(": ")[0] + ": " + each.split(": ")[1] for each in reported] == [
        "templates/small.yml:3: x-dryrun.title",
        "templates/small.yml:12: services.web.image",
        "templates/small.yml:14: services.web.depends_on[0]",
        "templates/small.yml:17: services.web.x-ground-truth[1].kind",
        "templates/small.yml:24: services.twin.privileged",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  title: Small company\n", "", ":2: x-dryrun: the key 'title' is missing"),
        ("title: Small company", "title: ' '", ":3: x-dryrun.title: is empty"),
        ("name: small", "name: Small Company", ":1: name: is no Compose project name"),
        (
            "name: small",
            "version: '3'",
            ":1: version: the key 'version' is outside the subset: Compose itself",
        ),
        (
            "name: small",
            "volumes: {}",
            ":1: volumes: the key 'volumes' is outside the subset: containers get",
        ),
        (
            "name: small",
            "x-other: {}",
            ":1: x-other: the key 'x-other' is outside the subset: known here are",
        ),
        ("engine: redis", "engine: Redis", ":9: x-dryrun.credentials[1].engine: String should match pattern"),
        (
            "{engine: redis,",
            "{engine: redis, host: db,",
            ":9: x-dryrun.credentials[1].host: the key 'host' is",
        ),
        ('password: ""', "password: 1", ":9: x-dryrun.credentials[1].password: is a number; expected a text"),
        (', password: ""', "", ":9: x-dryrun.credentials[1]: the key 'password' is missing"),
        (
            "services: [web]}",
            "services: [wbe]}",
            ":9: x-dryrun.credentials[1].services[0]: there is no service 'wbe'",
        ),
        ("services: [web]}", "services: []}", ":9: x-dryrun.credentials[1].services: is empty"),
        ("\nservices:", "\nservices: x\nxx:", ":10: services: is a text; expected a map"),
        ('"a$$b "', '"${PASSWORD}"', ":8: x-dryrun.credentials[0].password: holds a single '$'"),
        (
            "title: Small",
            "collectors: [netwrk]\n  title: Small",
            ":3: x-dryrun.collectors[0]: there is no collector",
        ),
        (
            "title: Small",
            "collectors: [database]\n  title: Small",
            ":3: x-dryrun.collectors: the collector database",
        ),
        ("title: Small", "collectors: []\n  title: Small", ":3: x-dryrun.collectors: is empty"),
    ],
)
def test_a_mistake_is_reported_with_its_place(folder, old, new, fault):
    assert old in SMALL
    assert any(
        each.startswith(f"templates/small.yml{fault}") for each in faults(folder, SMALL.replace(old, new))
    )


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


WORDS = """
x-dryrun services title description credentials collectors name web image environment depends_on condition
x-ground-truth kind key data hard host service :80/tcp product columns fact SITE engine
discovery/test-nginx:1.26
"""
words = st.sampled_from(["", *WORDS.split()])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=8) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | scalars, inner, max_size=6),
    max_leaves=25,
)


@given(values | st.fixed_dictionaries({"x-dryrun": values, "services": st.dictionaries(words, values)}))
def test_no_document_raises_anything_but_the_templates_own_error(tmp_path_factory, document):
    loads_or_tells(tmp_path_factory, yaml.safe_dump(document).encode())


@given(
    st.binary(max_size=100) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_no_bytes_raise_anything_but_the_templates_own_error(tmp_path_factory, raw):
    loads_or_tells(tmp_path_factory, raw)


@given(data=st.data())
def test_no_damage_to_a_good_file_raises_anything_but_the_templates_own_error(tmp_path_factory, data):
    start = data.draw(st.integers(0, len(SMALL)))
    end = data.draw(st.integers(start, min(len(SMALL), start + 40)))
    loads_or_tells(tmp_path_factory, (SMALL[:start] + data.draw(st.text(max_size=8)) + SMALL[end:]).encode())


def loads_or_tells(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("templates") / "x.yml"
    path.write_bytes(raw)
    try:
        loaded = load_template(path, allowlist(), MANIFESTS)
    except TemplateInvalidError as error:
        found = error.faults
    else:
        found = ()
        assert loaded.full().services
    assert all(fault.where.partition(":")[0].endswith("/x.yml") for fault in found)


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


STANDS_FOR = """\
  stands_for:
    made_from: a scan by nmap
    made_on: '2026-11-26'
    hosts: 38
    levels: {same_version: 30, same_product: 30, relative: 5, banner: 1, nothing: 1}
    weights: {web: '37.5', twin: '1'}
    census:
      network: n0123456789abcdef
      classes:
        web-a: {hosts: 37, targets: [web], services: [443/tcp same_version nginx, 22/tcp nothing]}
        host-a: {hosts: 1, targets: [twin]}
      services: [37 443/tcp same_version nginx, 37 22/tcp nothing]
      beyond: 2
"""


def made_of(text=STANDS_FOR):
    return SMALL.replace("services:\n", f"{text}services:\n", 1)


def test_a_template_says_which_network_it_stands_for(folder):
    (folder / "small.yml").write_text(made_of())
    known = catalog(folder).get("small").summary().stands_for
    assert known is not None
    assert (known.made_from, str(known.made_on), known.hosts) == ("a scan by nmap", "2026-11-26", 38)
    assert known.levels.sentence == (
        "60 of 67 services stand on real software, 5 on a relative, 1 on a banner, 1 on nothing"
    )
    assert known.weights == {"web": 37.5, "twin": 1.0}
    assert known.census is None, "in lists it is left out"
    census = catalog(folder).get("small").full().stands_for.census
    assert [(each.name, each.hosts, each.targets) for each in census.classes] == [
        ("web-a", 37, ("web",)),
        ("host-a", 1, ("twin",)),
    ]
    assert [(each.place, each.level, each.product) for each in census.classes[0].services] == [
        ("443/tcp", "same_version", "nginx"),
        ("22/tcp", "nothing", None),
    ]
    assert (census.total, census.beyond) == (76, 2)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("hosts: 38", "hosts: 0", "stands_for.hosts: is 0; it can be 1 to 1000000"),
        ("hosts: 38", "size: 38", "stands_for: the key 'hosts' is missing"),
        ("nothing: 1", "nothing: -1", "stands_for.levels.nothing: is -1; it can be 0 to 100000000"),
        (", nothing: 1", "", "stands_for.levels: the key 'nothing' is missing"),
        ("'2026-11-26'", "'2026-13-01'", "stands_for.made_on: is '2026-13-01'; expected a date"),
        ("'2026-11-26'", "2026-11-26", "stands_for.made_on: is a date; expected a text; write it in quotes"),
        ("web: '37.5'", "web: '-1'", "stands_for.weights.web: is '-1'; expected a number above 0"),
        ("web: '37.5'", "web: '0.0'", "stands_for.weights.web: is '0.0'; expected a number above 0"),
        ("web: '37.5'", "web: 'nan'", "stands_for.weights.web: is 'nan'; expected a number above 0"),
        ("web: '37.5'", "www: '1'", "stands_for.weights.www: there is no service 'www'"),
        ("n0123456789abcdef", "acme", "stands_for.census: is not valid: network: String should match"),
        ("hosts: 37", "hosts: 0", "census.classes.web-a.hosts: is 0; it can be 1 to 1000000"),
        ("targets: [web]", "targets: [www]", "web-a.targets[0]: there is no service 'www'"),
        ("[443/tcp same", "[443 same", "web-a.services[0]: is '443 same_version nginx'; expected"),
        ("[37 443", "[443", "census.services[0]: is '443/tcp same_version nginx'; expected a text like"),
        ("beyond: 2", "beyond: -2", "census.beyond: is -2; it can be 0 to 100000000"),
        ("22/tcp nothing]}", "70000/tcp nothing]}", "web-a: is not valid"),
        ("[37 443/tcp same_version nginx, ", f"[{'1 1/tcp nothing, ' * 600}", "601 rows; 600 are the most"),
    ],
)
def test_what_a_template_says_of_a_network_is_checked(folder, old, new, fault):
    assert any(fault in each for each in faults(folder, made_of(STANDS_FOR.replace(old, new))))


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
