from types import SimpleNamespace

from bench.network.hosts import Host, Service
from bench.network.scans import Scan
from bench.parts.scan import COLLECTOR, PLAIN, divided, judged, rest, with_comparison
from bench.results import PartResult


def host(name: str, port: int = 80) -> Host:
    return Host(name, (Service("nginx", port, "nginx", ("nginx",)),))


HOSTS = tuple(host(f"h{number:02}") for number in range(13))


def names(hosts) -> list[str]:
    return [each.name for each in hosts]


def test_each_host_is_compared_by_one_profile_and_the_other_looks_at_it_alone():
    (division,) = divided({"odd-ports": HOSTS}, long=False)
    quick, full = division["odd-ports", "quick"], division["odd-ports", "full"]
    assert names(full) == ["h00", "h06", "h12"]
    assert sorted(names([*quick, *full])) == names(HOSTS)

    others = rest({"odd-ports": SimpleNamespace(hosts=HOSTS)}, [division])
    assert names(others["odd-ports", "quick"]) == names(full)
    assert sorted(names(others["odd-ports", "full"])) == sorted(names(quick))


def test_a_long_run_compares_every_host_by_both_profiles():
    divisions = divided({"odd-ports": HOSTS}, long=True)
    assert len(divisions) == 3
    assert sorted(name for each in divisions for name in names(each["odd-ports", "full"])) == names(HOSTS)
    assert rest({"odd-ports": SimpleNamespace(hosts=HOSTS)}, divisions) == {}


def test_a_host_is_judged_by_the_first_scan_that_looked_at_it():
    first = Scan(1.0, {("a", 80): "nginx"})
    second = Scan(1.0, {("a", 80): "", ("a", 81): "x", ("b", 80): "nginx"})
    score = judged([([host("a")], first), ([host("a"), host("b")], second)])
    assert (score.ports, score.products, score.false_ports) == (2, 2, 0)


def test_the_bound_is_of_all_hosts_and_the_comparison_of_those_that_both_scanned():
    ours, theirs = Scan(2.0, {("a", 80): "nginx"}), Scan(8.0, {("a", 80): ""})
    alone = Scan(1.0, {})
    result = with_comparison(
        PartResult(part="scan", title="", about=""),
        ("odd-ports", "full"),
        {COLLECTOR: [([host("a")], ours)], PLAIN: [([host("a")], theirs)]},
        [([host("b")], alone)],
    )
    assert [(each.name, each.by, each.found, each.of, each.goal) for each in result.shares] == [
        ("odd ports, all hosts: ports", "full", 1, 2, "full-odd-ports-ports"),
        ("odd ports, all hosts: products", "full", 1, 2, "full-odd-ports-products"),
        ("odd ports, compared: ports", "full", 1, 1, None),
        ("odd ports, compared: products", "full", 1, 1, None),
        ("odd ports, compared: ports", "nmap -p- -sV -T4", 1, 1, None),
        ("odd ports, compared: products", "nmap -p- -sV -T4", 0, 1, None),
    ]
    assert result.ratios[0].pairs == [(2.0, 8.0)]
    assert "b:80 nginx: port" in str(result.tables[0].rows)
