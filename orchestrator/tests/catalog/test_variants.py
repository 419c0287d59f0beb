import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.ground_truth import Fact
from dryrun_contract.session import MAX_SEED
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template
from dryrun_orchestrator.catalog.variants import Alternative, Variants


def image(name, *facts, environment=()):
    return AllowedImage(
        f"discovery/test-{name}:1", f"sha256:{name:0>64}", frozenset(environment), ground_truth=facts
    )


HOST = Fact(kind="host", key="")
IMAGES = [
    image("mail", HOST, Fact(kind="service", key=":25/tcp"), environment=["BANNER"]),
    image("mute", HOST, Fact(kind="service", key=":9000/tcp", hard="says nothing")),
    image("web", HOST, *(Fact(kind="service", key=f":{port}/tcp") for port in range(80, 90))),
]
ALLOWLIST = Allowlist("allowlist.json", {each.name: each for each in IMAGES})
OFFICE = """
x-dryrun: {title: Office, description: Four machines, shuffle: [[desk-1, desk-2, desk-3]]}
services:
  desk-1: {image: "discovery/test-mail:1"}
  desk-2: {image: "discovery/test-mute:1"}
  desk-3: {image: "discovery/test-web:1"}
  mail:
    image: discovery/test-mail:1
    environment: {BANNER: one}
    x-variants:
      - {environment: {BANNER: two}}
      - {image: "discovery/test-web:1"}
      - {x-ground-truth: [{kind: host, key: "", hard: gone}]}
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "office.yml"
        path.write_text(text)
        return load_template(path, ALLOWLIST, CollectorManifests({}))

    return load_text


def faults(load, text):
    with pytest.raises(TemplateInvalidError) as raised:
        load(text)
    return [f"{fault.where}: {fault.what}" for fault in raised.value.faults]


def service(template, name):
    return next(each for each in template.services if each.name == name)


def images_of(template):
    return {service.name: service.image.name.split("-")[1].split(":")[0] for service in template.services}


def test_seed_0_is_the_template_as_it_is_written(load):
    office = load(OFFICE)
    assert images_of(office) == {"desk-1": "mail", "desk-2": "mute", "desk-3": "web", "mail": "mail"}
    assert service(office, "mail").environment == {"BANNER": "one"}
    assert office.file.with_seed(0) == office


def test_a_seed_is_the_same_variant_on_every_machine(load):
    # Written down, so that no version of Python or of this code moves hard cases under a report's feet.
    office = load(OFFICE).file.with_seed(4)
    assert images_of(office) == {"desk-1": "web", "desk-2": "mute", "desk-3": "mail", "mail": "mail"}
    assert office.file.with_seed(4) == office


def test_seeds_move_hard_cases_between_hosts_and_lose_none(load):
    file = load(OFFICE).file
    layouts = {seed: images_of(file.with_seed(seed)) for seed in range(200)}
    assert {layout["desk-2"] for layout in layouts.values()} == {"mail", "mute", "web"}
    for layout in layouts.values():
        assert sorted(layout[f"desk-{number}"] for number in (1, 2, 3)) == ["mail", "mute", "web"]


def test_every_variant_of_a_service_comes_with_what_is_true_of_it(load):
    file = load(OFFICE).file
    seen = {}
    for seed in range(200):
        template = file.with_seed(seed)
        mail = service(template, "mail")
        facts = [fact for fact in template.ground_truth.facts if fact.key.partition(":")[0] == "mail"]
        seen[mail.image.name, mail.environment.get("BANNER"), len(facts), facts[0].hard] = template
    assert set(seen) == {
        ("discovery/test-mail:1", "one", 2, None),
        ("discovery/test-mail:1", "two", 2, None),
        ("discovery/test-web:1", None, 11, None),
        ("discovery/test-mail:1", "one", 1, "gone"),
    }
    assert len({template.digest for template in seen.values()}) == 4


def test_without_variants_every_seed_has_the_same_digest(load):
    file = load(
        OFFICE.partition("    x-variants")[0].replace(", shuffle: [[desk-1, desk-2, desk-3]]", "")
    ).file
    assert len({file.with_seed(seed).digest for seed in range(50)}) == 1


def test_more_than_a_fifth_of_hard_facts_with_any_seed_is_refused(load):
    easy = OFFICE.replace('{kind: host, key: "", hard: gone}', '{kind: host, key: ""}')
    assert load(easy)
    many = easy.replace('desk-3: {image: "discovery/test-web:1"}', 'desk-3: {image: "discovery/test-mute:1"}')
    [fault] = faults(load, many)
    assert fault.endswith("services: 2 of 7 facts are hard with some seed; at most a fifth may be (one in 5)")


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, MAX_SEED),
)
def test_a_template_that_is_accepted_keeps_the_share_with_every_seed(services, seed):
    def alternative(hard, easy):
        facts = [Fact(kind="service", key=f":{n}/tcp", hard="x") for n in range(hard)]
        facts += [Fact(kind="service", key=f":{n + 100}/tcp") for n in range(easy)]
        return Alternative(IMAGES[0], {}, tuple(facts))

    variants = Variants(
        {f"s{n}": tuple(alternative(*each) for each in many) for n, many in enumerate(services)}
    )
    facts = [fact for each in variants.chosen("x", seed).values() for fact in each.facts]
    if variants.too_many_hard() is None:
        assert 5 * sum(fact.hard is not None for fact in facts) <= len(facts)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[desk-1, desk-2, desk-3]", "[desk-1, desk-9]", "shuffle[0][1]: there is no service 'desk-9'"),
        ("[desk-1, desk-2, desk-3]", "[desk-1, desk-1]", "shuffle[0][1]: names 'desk-1' a second time"),
        ("[desk-1, desk-2, desk-3]", "[desk-1]", "shuffle[0]: is not a group: two services at least"),
        ("[[desk-1, desk-2, desk-3]]", "desk-1", "shuffle: is a text; expected a list"),
        ("desk-1: {", "desk-1: {depends_on: [mail], ", "shuffle[0][0]: 'desk-1' waits for another"),
        ("mail:\n", "mail:\n    depends_on: [desk-2]\n", "shuffle[0][1]: 'desk-2' waits for another"),
        ("{environment: {BANNER: two}}", "{}", "x-variants[0]: is empty; a variant replaces image"),
        ("{environment: {BANNER: two}}", "{ports: []}", "x-variants[0].ports: the key 'ports' is outside"),
        ("{BANNER: two}", "{OTHER: two}", "x-variants[0].environment.OTHER: the key 'OTHER' cannot be set"),
        ('- {image: "discovery/test-web:1"}', "- {image: nginx}", "x-variants[1].image: the image"),
        (
            'kind: host, key: "", hard',
            'kind: hots, key: "", hard',
            "x-variants[2].x-ground-truth[0].kind: is",
        ),
    ],
)
def test_what_no_seed_could_mean_is_refused(load, old, new, fault):
    assert old in OFFICE
    [reported] = faults(load, OFFICE.replace(old, new))
    assert fault in reported
