import re

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import READ_AT, host, network, service
from pydantic import ValidationError
from simple_recipes import match_host

from dryrun_replica.inventory.model import Service
from dryrun_replica.planning.plan import PlannedCredential, make_plan
from dryrun_replica.planning.template import template_text


def texts(inventory, **options) -> list[str]:
    plan = make_plan("acme", inventory, match_host, READ_AT, **options)
    images = {
        name: f"discovery/test-stand-in:{each.host_class}"
        for template in plan.templates
        for each in template.sample.chosen
        for name in each.hosts
    }
    return [template_text(plan, template, images) for template in plan.templates]


def test_a_template_says_what_it_was_made_from_when_and_how_well_it_covers_it():
    [text] = texts(
        network(host("web-1", service(80, "nginx", "1.26")), host("web-2", service(81, "Own thing")))
    )
    assert (
        text
        == """\
# A replica: stands for a real network, of which it holds no name and no address unless its maker kept them.
# Written by `dryrun-local network import`; made again rather than changed by hand.
x-dryrun:
  title: Replica acme
  description: 'A sample of a real network, with seed 0: 2 targets stand for 2 hosts. 1 of 2 services stands on
    real software, 1 on nothing: Own thing.'
  stands_for:
    made_from: a table
    made_on: '2026-11-26'
    hosts: 2
    levels:
      same_version: 1
      same_product: 0
      relative: 0
      banner: 0
      nothing: 1
    weights:
      web-1: '1'
      web-2: '1'
    census:
      network: n79ec68965275a39e
      classes:
        web-a:
          hosts: 1
          targets:
          - web-1
          services:
          - 80/tcp same_version nginx
        web-b:
          hosts: 1
          targets:
          - web-2
          services:
          - 81/tcp nothing Own thing
      services:
      - 1 80/tcp same_version nginx
      - 1 81/tcp nothing Own thing
      beyond: 0
services:
  web-1:
    image: discovery/test-stand-in:web-a
  web-2:
    image: discovery/test-stand-in:web-b
"""  # noqa: E501  # as it is written
    )


def test_templates_of_all_hosts_number_themselves():
    both = texts(network(*(host(f"web-{n}", service(80, "nginx")) for n in range(1, 31))), all_hosts=True)
    assert [yaml.safe_load(text)["x-dryrun"]["title"] for text in both] == [
        "Replica acme, part 1 of 2",
        "Replica acme, part 2 of 2",
    ]
    assert sum(len(yaml.safe_load(text)["services"]) for text in both) == 30


@given(
    st.lists(st.text("abAB01 .,+_/()-:#'$*&!%{}[]|>~=\n", min_size=1, max_size=80), min_size=1, max_size=6)
)
@settings(max_examples=200)
def test_no_product_that_the_model_takes_changes_a_template(products):
    hosts = []
    for number, product in enumerate(products, 1):
        try:
            found = Service.model_validate({"port": number, "product": product, "version": product[:60]})
        except ValidationError:
            continue
        hosts.append(host(f"web-{number}", found))
    if not hosts:
        return
    [text] = texts(network(*hosts))
    document = yaml.safe_load(text)
    assert document.keys() == {"x-dryrun", "services"}
    assert document["x-dryrun"].keys() == {"title", "description", "stands_for"}
    assert document["services"].keys() == {each.name for each in hosts}
    assert re.fullmatch(r"[ -~\n]*", text)


def test_a_credential_stands_in_each_template_that_has_a_host_for_it_and_names_those_alone():
    inventory = network(*(host(f"web-{number}", service(80, "nginx", "1.26")) for number in range(1, 23)))
    plan = make_plan("acme", inventory, match_host, READ_AT, all_hosts=True)
    first = plan.templates[0].sample.chosen[0].hosts[0]
    credential = PlannedCredential(engine="redis", username=None, password="a$b", hosts=(first, "db-1"))
    plan = plan.model_copy(update={"credentials": (credential,)})
    images = {each.name: "discovery/test-redis:8.0" for each in inventory.hosts}
    written = [yaml.safe_load(template_text(plan, each, images))["x-dryrun"] for each in plan.templates]
    # Compose's way to write one dollar.
    assert written[0]["credentials"] == [{"engine": "redis", "password": "a$$b", "services": [first]}]
    assert ["credentials" in each for each in written[1:]] == [False] * (len(written) - 1)
    assert len(written) > 1
