"""The last report of a service counts, so it must be the best."""

from dataclasses import replace

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["10.0.0.3"]).admit("10.0.0.3")
GUESSED = Port(8443, "https-alt", confidence=3)
PROBED = Port(8443, "http", probed=True, confidence=10, product="nginx")


def test_the_port_tables_guess_does_not_follow_a_product(emit):
    reports = Reports(emit)
    reports.service(ADDRESS, PROBED)
    reports.service(ADDRESS, GUESSED)
    assert [data["method"] for _, _, data, _ in emit.reported] == ["probed"]


def test_of_two_that_are_as_sure_the_one_that_says_less_does_not_follow(emit):
    reports = Reports(emit)
    reports.service(ADDRESS, PROBED)
    reports.service(ADDRESS, replace(PROBED, product=""))
    reports.service(ADDRESS, replace(PROBED, version="1.26.3"))
    assert [(data["product"], data.get("version")) for _, _, data, _ in emit.reported] == [
        ("nginx", None),
        ("nginx", "1.26.3"),
    ]


def test_each_port_has_a_memory_of_its_own(emit):
    reports = Reports(emit)
    reports.service(ADDRESS, PROBED)
    reports.service(ADDRESS, Port(22))
    assert emit.keys("service") == ["10.0.0.3:8443/tcp", "10.0.0.3:22/tcp"]
