"""Every mistake in a template is reported with its place, and nothing but that is raised."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_template import MANIFESTS, SMALL, allowlist, faults

from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template


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
        ("name: small", "name: Small Company", ":1: name: is not a Compose project name"),
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
        ("engine: redis", "engine: Redis", ":9: x-dryrun.credentials[1].engine: must be 1 to"),
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
