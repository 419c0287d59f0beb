from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.network.nmap_xml import Host, Port
from discovery_collectors.collectors.network.port_search import PortSearch
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.running.scope import Scope


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
