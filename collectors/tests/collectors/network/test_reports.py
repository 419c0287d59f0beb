"""The last report of a service counts, so it must be the best."""

from dataclasses import replace

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.protocols.certificates import Certificate
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


def test_names_of_a_certificate_that_are_not_reported_are_counted(emit):
    reports = Reports(emit)
    whole = Certificate("CN=a", "CN=a", ("a", "b"), "", "", self_signed=True, sha256="", names_total=2)
    reports.certificate(ADDRESS, 443, whole)
    reports.certificate(ADDRESS, 444, replace(whole, names_total=3))
    totals = [data.get("names_total") for _, _, data, _ in emit.reported]
    assert totals == [None, 3]
