"""Lists of open ports: nmap -oG, masscan -oG, RustScan -g, and pairs of host and port."""

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError

NMAP = (
    "# Nmap 7.95 scan initiated Mon Nov 30 21:50:00 2026 as: nmap {} -oG - 10.0.0.0/24\n"
    "# Ports scanned: TCP(1000;1,3-4) UDP(0;) SCTP(0;) PROTOCOLS(0;)\n"
    "Host: 10.0.0.5 (db01.corp.example)\tStatus: Up\n"
    "Host: 10.0.0.5 (db01.corp.example)\tPorts: 22/open/tcp//ssh//OpenSSH 9.2p1 Debian 2 (protocol 2.0)/, "
    "443/open/tcp//ssl|http//Apache httpd 2.4.57 ((Debian))/, 161/open|filtered/udp//snmp///, "
    "8080/open/tcp//http-proxy?///\tIgnored State: closed (996)\n"
    "Host: 10.0.0.6 ()\tStatus: Down\n"
    "# Nmap done at Mon Nov 30 21:50:10 2026 -- 256 IP addresses (1 host up) scanned in 10.0 seconds\n"
)


def test_nmaps_greppable_form_is_read_with_products_versions_and_tls():
    inventory = read(NMAP.format("-sV"))
    [host] = inventory.hosts
    assert [source.format for source in inventory.sources] == ["port-list"]
    assert services_of(inventory)[host.name] == [
        "22/tcp OpenSSH 9.2p1 Debian 2",
        "443/tcp Apache httpd 2.4.57",
        "8080/tcp unknown",
    ]
    assert [each.tls is not None for each in host.services] == [False, True, False]
    said = notes(inventory)
    assert said["hosts that the scan found down, left out"] == 1
    assert (
        said["TCP ports of each host that the scan did not try (no -p-), of which nothing is known"] == 64535
    )
    assert inventory.unread == ()


def test_without_sv_a_port_is_a_guess_and_the_scan_says_which_option_would_ask():
    inventory = read(NMAP.format("-sS"))
    assert [each.name for each in inventory.hosts[0].services] == ["ssh", "http", "http-proxy"]
    assert "file1: the scan asked no service what it is; scan with nmap -sV -oX FILE" in inventory.unread[0]


def test_hosts_that_nmap_only_listed_are_left_out():
    listed = NMAP.format("-sL").replace("Status: Down", "Status: Unknown")
    inventory = read(listed)
    assert len(inventory.hosts) == 1
    assert notes(inventory)["hosts that the scan found down, left out"] == 1


def test_a_list_of_ports_longer_than_what_tells_formats_apart_is_still_one():
    ports = ",".join(str(port) for port in (22, 80, 443) * 500)
    assert read(f"10.0.0.5 -> [{ports}]\n").sources[0].format == "port-list"


def test_a_scan_without_its_end_is_said_to_be_interrupted():
    cut = NMAP.format("-sV").rpartition("# Nmap done")[0]
    assert notes(read(cut))["scans that were interrupted, without the hosts that come after"] == 1


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("Timestamp: 1764570000\tHost: 10.0.0.5 ()\tPorts: 22/open/tcp//ssh//\n", ["22/tcp ssh"]),
        ("#masscan\nHost: 10.0.0.5 ()\tPorts: 80/open/tcp////\n", ["80/tcp http"]),
        (
            "#masscan\nopen tcp 22 10.0.0.5 1\nbanner tcp 8081 10.0.0.5 1 http.server nginx/1.26.3\n# end\n",
            ["22/tcp ssh", "8081/tcp nginx 1.26.3"],
        ),
        ("open icmp 0 10.0.0.5 1\nopen tcp 22 10.0.0.5 1\n", ["22/tcp ssh"]),
        ("Host: 10.0.0.5 ()\tPorts: 0/open/icmp//unknown//, 22/open/tcp//ssh//\n", ["22/tcp ssh"]),
        ("10.0.0.5 -> [22,5432]\n", ["22/tcp ssh", "5432/tcp postgresql"]),
        ("10.0.0.5:22\n10.0.0.5:80\n", ["22/tcp ssh", "80/tcp http"]),
        ("db01.corp.example:5432\n", ["5432/tcp postgresql"]),
        ("[fd00::1]:22\r\n", ["22/tcp ssh"]),
    ],
)
def test_lists_of_masscan_rustscan_naabu_and_people_are_read(text, services):
    assert [*services_of(read(text)).values()] == [services]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "10.0.0.5:22\n10.0.0.5\n",
            "file1:2: '10.0.0.5' is none of the lines that are read; expected",
        ),
        ("10.0.0.5:70000\n", "file1:1: '70000' is not a port; ports are 1 to 65535"),
        ("10.0.0.5 -> [22]\nx -> [0]\n", "file1:2: '0' is not a port"),
        ("Host: db01 (a)\tPorts: 22/open/tcp//ssh///\n", "file1:1: 'db01' is not an address"),
        ("Host: 10.0.0.5 ()\tPorts: 22/open\n", "file1:1: '22/open' is no port; expected port/state/"),
    ],
)
def test_a_line_of_another_form_is_a_fault_with_its_number(text, fault):
    with pytest.raises(InventoryError) as refused:
        read(text)
    assert fault in str(refused.value)


def test_a_line_lists_no_more_ports_than_there_are():
    most = ",".join(["22"] * 65_536)
    assert len(read(f"10.0.0.5 -> [{most}]\n").hosts[0].services) == 1
    with pytest.raises(InventoryError) as refused:
        read(f"10.0.0.5 -> [{most},22]\n")
    assert "file1:1: lists more than 65,536 ports; list each once" in str(refused.value)
    begins, most = "Host: 10.0.0.5 ()\tPorts: ", ", ".join(["22/open/tcp//ssh///"] * 131_072)
    assert len(read(f"{begins}{most}\n").hosts[0].services) == 1
    with pytest.raises(InventoryError) as refused:
        read(f"{begins}{most}, 22/\n")
    assert "file1:1: lists more than 131,072 ports; list each once" in str(refused.value)


def test_all_lines_together_list_a_bounded_number_of_ports():
    line = f"10.0.0.5 -> [{','.join(['22'] * 50_000)}]\n"
    assert len(read(line * 20).hosts[0].services) == 1
    with pytest.raises(InventoryError, match="file1: lists more than 1,000,000 ports"):
        read(line * 20 + "10.0.0.5 -> [22]\n")
