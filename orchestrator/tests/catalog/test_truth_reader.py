import pytest

from dryrun_contract.ground_truth import Fact
from dryrun_contract.kinds import KINDS
from dryrun_orchestrator.catalog.truth_reader import of_service, read_ground_truth
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList

IMAGE = "discovery/test-db:17"


def read(text, *, image=IMAGE):
    report = FaultList("small.yml")
    node = read_yaml(text.encode(), report)
    facts = read_ground_truth(node, image, {"version": "17.5", "os": "Debian"})
    return of_service(facts, "db"), [f"{fault.where}: {fault.what}" for fault in report.faults]


def test_keys_start_with_the_services_name():
    facts, faults = read(
        """
- {kind: host, key: ""}
- {kind: service, key: ":5432/tcp", data: {product: [PostgreSQL, PostgreSQL DB], version: "17"}}
- {kind: database, key: ":5432/tcp/shop", data: {engine: postgresql}}
- {kind: table, key: ":5432/tcp/shop/public/orders", data: {columns: [id, total]}, hard: odd name}
- {kind: table, key: ":27017/tcp/shop/orders"}
- {kind: certificate, key: ":443/tcp", data: {not_after: "2031-01-01T00:00:00Z"}}
- {kind: web_app, key: ":80/tcp/admin", data: {title: Admin}}
"""
    )
    assert faults == []
    assert facts[0] == Fact(kind="host", key="db")
    assert facts[1].data == {"product": ["PostgreSQL", "PostgreSQL DB"], "version": "17"}
    assert facts[3] == Fact(
        kind="table",
        key="db:5432/tcp/shop/public/orders",
        data={"columns": ["id", "total"]},
        hard="odd name",
    )
    assert [fact.key for fact in facts[4:]] == ["db:27017/tcp/shop/orders", "db:443/tcp", "db:80/tcp/admin"]


def test_a_fact_of_the_image_takes_its_place():
    facts, faults = read(
        '[{kind: service, key: ":1/tcp", data: {product: [a, {fact: os}], version: {fact: version}}}]'
    )
    assert faults == []
    assert facts[0].data == {"product": ["a", "Debian"], "version": "17.5"}


def test_an_unknown_fact_of_an_image_is_reported_with_the_known_ones():
    _, faults = read('[{kind: service, key: ":1/tcp", data: {version: {fact: versio}}}]')
    [fault] = faults
    assert fault.startswith("small.yml:1: [0].data.version.fact: discovery/test-db:17 has no fact 'versio'")
    assert fault.endswith("it has os, version")


def test_facts_of_an_image_that_is_not_approved_are_not_complained_about_too():
    _, faults = read('[{kind: service, key: ":1/tcp", data: {version: {fact: versio}}}]', image=None)
    assert faults == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("{key: ''}", "[0]: the key 'kind' is missing"),
        ("{kind: host}", "[0]: the key 'key' is missing"),
        ("{kind: hots, key: ''}", f"[0].kind: is 'hots'; known kinds are {', '.join(KINDS)}"),
        ("{kind: host, key: ':80/tcp'}", "[0].key: lies on the host; the key of a host is ''"),
        ("{kind: service, key: ''}", "[0].key: is the host's; the key of a service has a port"),
        (
            "{kind: service, key: '10.0.0.3:80/tcp'}",
            "[0].key: is '10.0.0.3:80/tcp'; a key is relative to its",
        ),
        ("{kind: service, key: ':80/icmp'}", "[0].key: 'service:80/icmp' is not a resource key"),
        ("{kind: service, key: ':70000/tcp'}", "[0].key: 'service:70000/tcp' names port 70000"),
        (
            "{kind: service, key: ':80/tcp/x'}",
            "[0].key: has 1 names after the port; the key of a service looks",
        ),
        (
            "{kind: database, key: ':80/tcp'}",
            "[0].key: has 0 names after the port; the key of a database looks",
        ),
        ("{kind: table, key: ':80/tcp/x'}", "[0].key: has 1 names after the port; the key of a table looks"),
        ("{kind: host, key: '', note: x}", "[0].note: the key 'note' is outside the subset"),
        ("{kind: host, key: '', hard: ''}", "[0].hard: is empty"),
        ("{kind: host, key: '', hard: yes}", "[0].hard: is yes or no; expected a text"),
        ("x", "[0]: is a text; expected a map"),
        ("{kind: host, key: '', data: {os: x}}", "[0].data.os: the key 'os' is outside the subset: scored"),
        ("{kind: host, key: '', data: []}", "[0].data: is a list; expected a map"),
        (
            "{kind: service, key: ':1/tcp', data: {version: 1.10}}",
            "[0].data.version: is a number; expected a text",
        ),
        (
            "{kind: service, key: ':1/tcp', data: {version: ['1']}}",
            "[0].data.version: is a list; expected a text",
        ),
        (
            "{kind: service, key: ':1/tcp', data: {product: [a, a]}}",
            "[0].data.product[1]: 'a' is in this list",
        ),
        ("{kind: service, key: ':1/tcp', data: {product: []}}", "[0].data.product: is an empty list"),
        (
            "{kind: service, key: ':1/tcp', data: {product: {}}}",
            "[0].data.product: the key 'fact' is missing",
        ),
        (
            "{kind: table, key: ':1/tcp/a/b', data: {columns: id}}",
            "[0].data.columns: is a text; expected a list",
        ),
        (
            "{kind: table, key: ':1/tcp/a/b', data: {columns: [{}]}}",
            "[0].data.columns[0]: is a map; expected",
        ),
    ],
)
def test_what_a_perfect_collector_could_not_report_is_refused(entry, fault):
    _, faults = read(f"[{entry}]")
    assert len(faults) == 1
    assert faults[0].startswith(f"small.yml:1: {fault}")


def test_a_repeated_fact_is_refused_also_in_another_spelling():
    facts, faults = read(
        "- {kind: service, key: ':80/tcp'}\n"
        "- {kind: certificate, key: ':80/tcp'}\n"
        "- {kind: service, key: ':080/tcp'}\n"
    )
    assert [fact.kind for fact in facts] == ["service", "certificate"]
    assert faults == ["small.yml:3: [2]: lists service ':80/tcp' a second time, first at [0]"]
