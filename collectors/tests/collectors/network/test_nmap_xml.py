from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.network.nmap_xml import Host, NmapOutputError, NmapReader, Port, Progress
from discovery_collectors.collectors.network.no_names import names_nothing

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" args="nmap">\n'
FOOT = (
    '<runstats><finished time="1" exit="success"/><hosts up="1" down="0" total="1"/></runstats></nmaprun>\n'
)


def host_xml(service="", state="open", up="up", portid="443") -> str:
    return (
        f'<host><status state="{up}" reason="arp-response"/><address addr="10.0.0.3" addrtype="ipv4"/>'
        '<address addr="02:42:0A:00:00:03" addrtype="mac" vendor="Acme"/><ports>'
        f'<port protocol="tcp" portid="{portid}"><state state="{state}" reason="syn-ack"/>{service}</port>'
        "</ports></host>\n"
    )


def read(text: str | bytes, step: int = 10**6) -> tuple[list[Host | Progress], NmapReader]:
    content = text.encode() if isinstance(text, str) else text
    reader = NmapReader()
    found = []
    for start in range(0, len(content), step):
        found += reader.feed(content[start : start + step])
    return found, reader


NGINX = (
    '<service name="http" product="nginx" version="1.26.3" extrainfo="Debian" tunnel="ssl" method="probed"'
    ' conf="10" hostname="www"><cpe>cpe:/a:igor_sysoev:nginx:1.26.3</cpe></service>'
)


@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_reads_the_same_however_the_bytes_are_cut(step):
    found, reader = read(HEAD + host_xml(NGINX) + FOOT, step)
    port = Port(
        443, "http", True, 10, "nginx", "1.26.3", "Debian", True, ("cpe:/a:igor_sysoev:nginx:1.26.3",), "www"
    )
    assert found == [Host("10.0.0.3", "arp-response", "02:42:0A:00:00:03", "Acme", (port,))]
    assert reader.finished


def test_reports_a_host_before_the_output_is_complete():
    found, reader = read(HEAD + host_xml(NGINX))
    assert len(found) == 1
    assert not reader.finished


def test_leaves_out_hosts_that_are_down_and_ports_that_are_not_open():
    found, _ = read(HEAD + host_xml(up="down") + host_xml(state="filtered") + FOOT)
    assert [host.ports for host in found] == [()]


def test_a_product_that_nmap_names_by_the_length_of_an_answer_is_none():
    service = '<service name="landesk-rc" product="LANDesk remote management" method="probed" conf="10"/>'
    for tunnel, tls in (("", False), (' tunnel="ssl"', True)):
        found, _ = read(HEAD + host_xml(service.replace("/>", f"{tunnel}/>")) + FOOT)
        assert [host.ports for host in found] == [(Port(443, tls=tls),)]


@pytest.mark.parametrize(
    ("product", "version", "kept"),
    [
        ("sip", "", ""),
        ("Web Server", "", ""),
        ("webserver", "1.20", "webserver"),
        ("SIP Pulse", "", "SIP Pulse"),
    ],
)
def test_a_word_that_any_server_could_state_is_no_product(product, version, kept):
    service = f'<service name="sip" product="{product}" version="{version}" method="probed" conf="10"/>'
    found, _ = read(HEAD + host_xml(service) + FOOT)
    assert found[0].ports == (Port(443, "sip", True, 10, kept, version),)


def test_reports_the_progress_of_a_task():
    found, _ = read(HEAD + '<taskprogress task="SYN Stealth Scan" time="1" percent="22.93" remaining="1"/>')
    assert found == [Progress("SYN Stealth Scan", 22.93)]


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_a_banner_stays_text(banner):
    service = f'<service name="x" product={quoteattr(banner)} method="probed" conf="10"/>'
    found, _ = read(HEAD + host_xml(service) + FOOT)
    assert found[0].ports[0].product == ("" if names_nothing(banner) else banner.strip()[:300])


def test_keeps_a_huge_banner_short():
    found, _ = read(HEAD + host_xml(f'<service name="x" extrainfo="{"A" * 1_000_000}" conf="3"/>') + FOOT)
    assert len(found[0].ports[0].extra) == 300


BOMB = (
    '<!DOCTYPE nmaprun [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><nmaprun><host>&b;</host></nmaprun>'
)
FILE = '<!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]><nmaprun><host>&x;</host></nmaprun>'


@pytest.mark.parametrize("step", [1, 3, 10**6])
@pytest.mark.parametrize("text", [BOMB, FILE])
def test_refuses_entities(text, step):
    with pytest.raises(NmapOutputError, match="declares an entity"):
        read(text, step)


def test_refuses_a_tree_of_endless_depth():
    with pytest.raises(NmapOutputError, match="not XML"):
        read(HEAD + "<host>" * 100_000)


@pytest.mark.parametrize("text", ["nonsense", HEAD + "<host></nmaprun>", HEAD + host_xml(portid="many")])
def test_refuses_what_nmap_does_not_write(text):
    with pytest.raises(NmapOutputError):
        read(text)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_findings_or_one_error(content):
    try:
        found, _ = read(HEAD.encode() + content, step=11)
    except NmapOutputError:
        return
    assert all(isinstance(each, Host | Progress) for each in found)
