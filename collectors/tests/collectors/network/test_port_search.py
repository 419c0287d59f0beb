import pytest

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.network import port_search
from discovery_collectors.collectors.network.nmap_process import GaveUp
from discovery_collectors.collectors.network.nmap_xml import Host, Port
from discovery_collectors.collectors.network.port_search import PortSearch
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.running.scope import Scope

MOST_BYTES = 200e6
"""Of the 512 MiB that searches for versions need too."""


@pytest.mark.parametrize("most", [None, 1000])
async def test_as_many_hosts_are_looked_at_together_as_fit_into_memory(emit, monkeypatch, most):
    groups = []

    async def run_nmap(options, targets, environment, take):
        groups.append(
            {name: int(options[options.index(name) + 1]) for name in ("--min-hostgroup", "--max-hostgroup")}
        )
        take(Host("10.0.0.3", "arp-response"))

    monkeypatch.setattr(port_search, "run_nmap", run_nmap)
    scope = Scope.parse(["10.0.0.0/24"])
    search = PortSearch(
        Assignment(scope), {}, Reports(emit), lambda address: None, lambda address, number: None
    )
    await search.search_likely_ports(most)
    await search.search_other_ports(most)
    likely, every = (group["--max-hostgroup"] for group in groups)
    # nmap keeps 112 B for each closed port.
    assert likely * 1_500 * 112 < MOST_BYTES
    assert every * 65_535 * 112 < MOST_BYTES
    # All targets of a session.
    assert every >= 20
    assert all(group["--min-hostgroup"] == group["--max-hostgroup"] for group in groups)


def test_what_tells_a_printer_is_passed_on_also_of_a_host_with_too_many_open_ports(emit):
    found = []
    search = PortSearch(
        Assignment(Scope.parse(["10.0.0.0/24"])),
        {},
        Reports(emit),
        lambda address: None,
        lambda address, number: found.append(number),
    )
    many = [*range(10_000, 11_000), 11_001, 515]
    search._take(Host("10.0.0.3", "arp-response", ports=tuple(map(Port, many))))
    assert found[-2:] == [10_999, 515]
    assert "10.0.0.3:515/tcp" not in emit.keys("service")


def test_a_host_on_whose_ports_nmap_gave_up_is_said_once(emit):
    scope = Scope.parse(["10.0.0.0/24"])
    search = PortSearch(
        Assignment(scope), {}, Reports(emit), lambda address: None, lambda address, number: None
    )
    for address in ("10.0.0.3", "10.0.0.3", "10.0.0.4"):
        search._take(GaveUp(address))
    assert [each.partition(":")[0] for each in emit.warnings] == ["10.0.0.3", "10.0.0.4"]
