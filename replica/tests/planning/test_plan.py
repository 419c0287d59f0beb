import time

from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import READ_AT, host, network, service
from netbox_export import netbox_export
from read_files import read
from simple_recipes import match_host

from dryrun_replica.levels import LEVELS, Level
from dryrun_replica.planning.coverage import Coverage, CoverageRow
from dryrun_replica.planning.plan import Plan, keep_images, make_plan
from dryrun_replica.planning.summary import bar, sentence, sentence_on_versions, uncovered

NETWORK = network(
    *(
        host(f"web-{number}", service(80, "nginx", "1.26"), service(22, "OpenSSH", "9.2"))
        for number in range(1, 31)
    ),
    *(host(f"app-{number}", service(8080, "Tomcat", "9", name="http")) for number in range(1, 6)),
    host("dns-1", service(53, "BIND", "9.18", transport="udp")),
    host("own-1", service(8443, "Product-1")),
    host("host-1"),
)


def plan(inventory=NETWORK, **options) -> Plan:
    return make_plan("acme", inventory, match_host, READ_AT, **options)


def test_every_service_of_the_network_is_counted_at_its_level():
    coverage = plan().coverage
    assert coverage.services == 67
    assert coverage.levels == {
        Level.SAME_VERSION: 30,
        Level.SAME_PRODUCT: 30,
        Level.RELATIVE: 5,
        Level.BANNER: 1,
        Level.NOTHING: 1,
    }
    assert sentence(coverage) == (
        "60 of 67 services stand on real software, 5 on a relative, 1 on a banner, 1 on nothing: Product-1"
    )
    assert sentence_on_versions(coverage) == (
        "With the versions that exist here, 30 of 67 services stand on the same version, "
        "30 on another version of the product"
    )
    assert [(row.label, row.services, row.level, row.stands_on, row.why) for row in coverage.rows] == [
        ("Product-1", 1, Level.NOTHING, None, "no recipe"),
        ("BIND 9.18", 1, Level.BANNER, "BIND", "a banner that names it"),
        ("Tomcat 9", 5, Level.RELATIVE, "nginx 1.26", "the same protocol"),
        ("OpenSSH 9.2", 30, Level.SAME_PRODUCT, "OpenSSH 10.0", "version 10.0 instead of 9.2"),
        ("nginx 1.26", 30, Level.SAME_VERSION, "nginx 1.26", ""),
    ]


def test_a_product_that_stands_elsewhere_is_named_with_the_port_where_nothing_does():
    there, not_there = Level.SAME_PRODUCT, Level.NOTHING
    rows = [
        CoverageRow(label=label, places=places, services=1, level=level, stands_on=None, why="")
        for label, places, level in (
            ("nginx", ("80/udp",), not_there),
            ("Product-1", ("81/tcp",), not_there),
            ("nginx", ("80/tcp",), there),
        )
    ]
    coverage = Coverage(
        services=3, levels=dict.fromkeys(LEVELS, 0) | {there: 1, not_there: 2}, rows=tuple(rows)
    )
    assert sentence(coverage) == (
        "1 of 3 services stands on real software, 2 on nothing: nginx on 80/udp, Product-1"
    )


def test_a_plan_says_what_it_stands_for_and_what_it_takes():
    made = plan()
    assert (made.hosts, made.hosts_without_services, made.targets, len(made.templates)) == (38, 1, 20, 1)
    assert [(each.name, each.hosts, each.targets) for each in made.classes] == [
        ("web-a", 30, 15),
        ("app-a", 5, 2),
        ("dns-a", 1, 1),
        ("own-a", 1, 1),
        ("host-a", 1, 1),
    ]
    assert (made.estimate.images, made.estimate.seconds, made.estimate.size_mb) == (3, 6.2, 4)
    assert made.left_out == ()


def test_a_class_that_is_not_sampled_is_covered_by_the_same_software_of_another_and_no_more():
    hosts = [host(f"a-{n}", service(80 + n, "nginx", "1.26")) for n in range(1, 5)]
    lone = host("b-1", service(9999, "PostgreSQL", "15"))
    made = plan(network(*hosts, lone), most=2)
    assert made.coverage.levels[Level.SAME_VERSION] == 5
    assert {row.why for row in made.coverage.rows} == {
        "", "its class is not in the sample; a target of another class has the same software",
    }  # fmt: skip
    alone = plan(network(*hosts, lone), most=1)
    [row] = [row for row in alone.coverage.rows if row.level is Level.NOTHING]
    assert (row.label, row.why) == (
        "PostgreSQL 15",
        "its class is not in the sample, and no target has this software",
    )
    assert alone.coverage.levels[Level.SAME_VERSION] == 4


def test_all_hosts_take_as_many_templates_as_it_takes():
    made = plan(all_hosts=True)
    assert [template.id for template in made.templates] == ["acme-1", "acme-2"]
    assert made.targets == made.hosts == 38


def test_hosts_of_a_report_stand_on_their_own_images_where_these_are_installed():
    image = "discovery/test-nx:1"
    known = host("docs-1", service(27017, "NX-27017")).model_copy(
        update={"image": image, "image_id": "sha256:" + "a" * 64}
    )
    made = plan(keep_images(network(known), {image: "sha256:" + "a" * 64}))
    assert (made.classes[0].image, made.estimate.images, made.coverage.real) == (image, 0, 1)
    elsewhere = plan(keep_images(network(known), {}))
    assert (elsewhere.classes[0].image, elsewhere.estimate.images, elsewhere.coverage.real) == (None, 0, 0)
    other = plan(keep_images(network(known), {image: "sha256:" + "b" * 64}))
    assert other.classes[0].image is None


def test_the_same_inventory_and_seed_give_the_same_plan():
    assert plan(seed=3).model_dump_json() == plan(seed=3).model_dump_json()
    assert Plan.model_validate_json(plan(seed=3).model_dump_json()) == plan(seed=3)


def test_an_export_of_four_hundred_hosts_is_planned_in_seconds_by_one_template():
    files = netbox_export(400)
    begun = time.monotonic()
    made = plan(read(*files.values()))
    assert time.monotonic() - begun < 10
    assert (made.hosts, len(made.templates)) == (400, 1)
    assert made.targets <= 20
    # Every product of the network is on a target.
    assert all(not left.only_there for left in made.templates[0].sample.left_out)


def test_products_that_nothing_stands_for_are_named_up_to_four():
    lost = network(*(host(f"x-{n}", service(80, f"Product {n}")) for n in range(9)))
    assert uncovered(plan(lost).coverage) == ["Product 0", "Product 1", "Product 2", "Product 3", "5 more"]


def test_a_network_without_services_says_so():
    assert (
        sentence(plan(network(host("host-1"))).coverage)
        == "No service is known, so that nothing stands for any"
    )


@given(st.lists(st.integers(0, 10_000), min_size=5, max_size=5), st.integers(5, 200))
@settings(max_examples=300)
def test_a_bar_shows_what_is_there_and_fills_its_width(counts, width):
    coverage = Coverage(services=sum(counts), levels=dict(zip(LEVELS, counts, strict=True)), rows=())
    cells = bar(coverage, width)
    assert [level for level, _ in cells] == [
        level for level, count in zip(LEVELS, counts, strict=True) if count
    ]
    assert all(number >= 1 for _, number in cells)
    assert sum(number for _, number in cells) == (width if sum(counts) else 0)
