from pathlib import Path

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.model import TlsFacts

FILES = Path(__file__).parent / "files"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap">\n'
FOOT = '<runstats><finished time="1" exit="success"/></runstats></nmaprun>\n'


NOT_TRIED = "TCP ports of each host that the scan did not try (no -p-), of which nothing is known"


def host_xml(
    *ports: str, address: str = "10.0.0.3", kind: str = "ipv4", up: str = "up", name: str = ""
) -> str:
    hostname = f'<hostname name="{name}" type="PTR"/>' if name else ""
    return (
        f'<host><status state="{up}"/><address addr="{address}" addrtype="{kind}"/>'
        '<address addr="02:42:0A:00:00:03" addrtype="mac" vendor="Acme"/>'
        f"<hostnames>{hostname}</hostnames><ports>{''.join(ports)}</ports></host>\n"
    )


def port_xml(number: object = 443, service: str = "", state: str = "open", protocol: str = "tcp") -> str:
    return f'<port protocol="{protocol}" portid="{number}"><state state="{state}"/>{service}</port>\n'


NGINX = '<service name="http" product="nginx" version="1.26.3" tunnel="ssl" method="probed" conf="10"/>'


def refused(text: str | bytes) -> str:
    with pytest.raises(InventoryError) as error:
        read(text, file_format="nmap-xml")
    return str(error.value)


def test_a_scan_of_this_machine_reads_as_it_was_and_names_nobody():
    inventory = read((FILES / "loopback.xml").read_bytes())
    [host] = inventory.hosts
    ssh, page, tls_page, other_page = host.services
    assert [source.format for source in inventory.sources] == ["nmap-xml"]
    assert (ssh.product, ssh.version, ssh.name) == ("OpenSSH", "9.2p1 Debian 2+deb12u3", "ssh")
    assert ssh.cpe == ("cpe:/a:openbsd:openssh:9.2p1", "cpe:/o:linux:linux_kernel")
    assert tls_page.tls is not None
    assert tls_page.tls.versions == ("TLSv1.2", "TLSv1.3")
    assert tls_page.tls.self_signed
    assert (page.title, page.tls) == (tls_page.title, None)
    assert other_page.title != page.title
    written = inventory.model_dump_json()
    for word in ("pineharbour", "localhost", "127.0.0.1", "intranet"):
        assert word not in written.casefold()


def test_a_scan_keeps_its_names_where_somebody_wants_them():
    inventory = read((FILES / "loopback.xml").read_bytes(), keep_names=True)
    [host] = inventory.hosts
    assert host.name == "localhost"
    assert host.services[0].banner == "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"
    assert host.services[1].title == "Pineharbour intranet"
    assert host.services[2].tls is not None
    assert host.services[2].tls.subject == "CN=intranet.pineharbour.example"


def test_hosts_by_ipv6_are_read_and_counted():
    inventory = read((FILES / "loopback6.xml").read_bytes())
    assert services_of(inventory) == {"web-1": ["18080/tcp SimpleHTTPServer 0.6"]}
    assert notes(inventory) == {
        "hosts with IPv6 addresses only, whose stand-ins have IPv4 addresses": 1,
        NOT_TRIED: 65534,
    }


@pytest.mark.parametrize(
    ("scanned", "left"),
    [
        ('protocol="tcp" numservices="1000"', 64535),
        ('protocol="tcp" numservices="65535"', None),
        ('protocol="udp" numservices="1000"', None),
        ('protocol="tcp" numservices="-1"', None),
        ('protocol="tcp" numservices="0"', None),
        ('protocol="tcp"', None),
        ('protocol="tcp" numservices="1e3"', None),
    ],
)
def test_a_scan_of_some_ports_says_that_nothing_is_known_of_the_others(scanned, left):
    info = f'<scaninfo type="syn" {scanned}/>\n'
    assert notes(read(HEAD + info + host_xml(port_xml()) + FOOT)).get(NOT_TRIED) == left


def test_of_several_scans_the_one_that_tried_the_fewest_ports_is_noted():
    scans = [
        HEAD
        + f'<scaninfo type="syn" protocol="tcp" numservices="{number}"/>'
        + host_xml(port_xml(), address=f"10.0.0.{number % 200}")
        + FOOT
        for number in (1000, 100, 65535)
    ]
    assert notes(read(*scans))[NOT_TRIED] == 65435


def test_only_open_ports_of_hosts_that_are_up_count():
    inventory = read(
        HEAD
        + host_xml(port_xml(443, NGINX), port_xml(22, state="closed"), port_xml(5000, state="open|filtered"))
        + host_xml(port_xml(80), address="10.0.0.4", up="down")
        + host_xml(port_xml(9, protocol="sctp"), address="10.0.0.5")
        + FOOT
    )
    assert services_of(inventory) == {"web-1": ["443/tcp nginx 1.26.3"], "host-1": []}
    assert inventory.hosts[0].services[0].tls == TlsFacts()
    assert notes(inventory) == {
        "hosts that the scan found down, left out": 1,
        "ports of other protocols than TCP and UDP, left out": 1,
    }


def test_what_was_only_looked_up_by_its_number_is_a_guess():
    guess = '<service name="ms-sql-s" method="table" conf="3"/>'
    [host] = read(HEAD + host_xml(port_xml(1433, guess)) + FOOT).hosts
    assert (host.role, host.services[0].name, host.services[0].confidence) == ("database", "ms-sql-s", 0.3)


@pytest.mark.parametrize(
    ("args", "name"),
    [("nmap -n -sV", None), ("nmap -sSV", None), ("nmap -A x", None), ("nmap -sS -Vx", "http")],
)
def test_what_nmap_asked_and_could_not_name_is_not_what_its_number_is_for(args, name):
    guess = port_xml(8000, '<service name="http" method="table" conf="3"/>')
    head = HEAD.replace('scanner="nmap"', f'scanner="nmap" args="{args}"')
    [host] = read(head + host_xml(guess, port_xml(443, NGINX)) + FOOT).hosts
    assert [service.name for service in host.services] == ["http", name]


def test_a_product_that_nmap_names_by_the_length_of_an_answer_is_none():
    service = '<service name="landesk-rc" product="LANDesk remote management" method="probed" conf="10"/>'
    [host] = read(HEAD + host_xml(port_xml(1190, service)) + FOOT).hosts
    [found] = host.services
    assert (found.port, found.product, found.name, found.is_mute) == (1190, None, None, False)


@pytest.mark.parametrize("version", ["9.6.0 or later", "2.2.X - 2.3.X", "3.X - 4.X", "2.0.8 or older"])
def test_a_range_of_versions_is_no_version(version):
    service = f'<service name="http" product="nginx" version="{version}" method="probed" conf="10"/>'
    inventory = read(HEAD + host_xml(port_xml(80, service)) + FOOT)
    [found] = inventory.hosts[0].services
    assert (found.product, found.version) == ("nginx", None)
    ranges = "services of which the scan knows only a range of versions: theirs is taken as unknown"
    assert notes(inventory)[ranges] == 1


def test_a_host_that_was_scanned_twice_is_one():
    probed = '<service name="http" product="Caddy httpd" method="probed" conf="10"/>'
    inventory = read(HEAD + host_xml(port_xml(80)) + host_xml(port_xml(80, probed), port_xml(443)) + FOOT)
    assert services_of(inventory) == {"web-1": ["80/tcp Caddy httpd", "443/tcp unknown"]}
    assert notes(inventory) == {"services that the scan lists twice, merged": 1}


def test_a_scan_that_was_interrupted_says_so():
    assert "scans that were interrupted" in str(notes(read(HEAD + host_xml(port_xml()) + "</nmaprun>")))
    assert "file1:6: is not XML" in refused(HEAD + host_xml(port_xml()))


@pytest.mark.parametrize(
    ("args", "service", "is_mute"),
    [
        ("nmap -sV", '<service name="canna" method="table" conf="3"/>', True),
        ("nmap -sV", '<service name="canna" servicefp="SF-Port5680" method="table" conf="3"/>', False),
        ("nmap -sV", '<service name="tcpwrapped" method="probed" conf="8"/>', False),
        ("nmap -sV", "", None),
        ("nmap -sS", '<service name="canna" method="table" conf="3"/>', None),
    ],
)
def test_a_port_that_left_every_question_unanswered_is_mute(args, service, is_mute):
    head = HEAD.replace('scanner="nmap"', f'scanner="nmap" args="{args}"')
    [host] = read(head + host_xml(port_xml(5680, service)) + FOOT).hosts
    assert [service.is_mute for service in host.services] == [is_mute]


@pytest.mark.parametrize("number", [0, 70000, -1, "", "http", "8_0", "٣"])
def test_every_port_that_cannot_be_is_refused_with_its_line(number):
    message = refused(HEAD + host_xml(port_xml(number), port_xml(443), port_xml(number)) + FOOT)
    assert "2 problems" in message
    assert f"file1:4: '{number}' is not a port" in message
    assert f"file1:6: '{number}' is not a port" in message


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "document",
    [
        f'<?xml version="1.0"?><!DOCTYPE nmaprun [<!ENTITY e0 "x">{BOMB}]><nmaprun>&e9;</nmaprun>',
        '<?xml version="1.0"?><!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]><nmaprun>&x;</nmaprun>',
        '<?xml version="1.0"?><!DOCTYPE nmaprun SYSTEM "http://192.0.2.1/x.dtd"><nmaprun/>',
        '<?xml version="1.0"?><!DOCTYPE nmaprun PUBLIC "x" "x.dtd"><nmaprun/>',
        '<!DOCTYPE nmaprun [<!ENTITY % x SYSTEM "x"> %x;]><nmaprun/>',
        '<!DOCTYPE nmaprun [<!ATTLIST port portid CDATA "80">]><nmaprun/>',
        "<!DOCTYPE html><nmaprun/>",
    ],
)
def test_entities_and_document_types_are_refused(document):
    assert "refused" in refused(document)


def test_nothing_of_a_document_that_declares_entities_is_read():
    text = '<!DOCTYPE nmaprun [<!ENTITY x "y">]>\n<nmaprun>' + host_xml(port_xml(0)) + "</nmaprun>"
    assert "1 problem" in refused(text)


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_other_encodings_than_utf8_are_read(encoding):
    text = HEAD.replace("UTF-8", encoding) + host_xml(port_xml(443, NGINX)) + FOOT
    assert services_of(read(text.encode(encoding))) == {"web-1": ["443/tcp nginx 1.26.3"]}


@pytest.mark.parametrize("encoding", ["utf-7", "shift_jis", "no-such", "utf-8-sig"])
def test_an_encoding_that_is_not_read_is_a_fault(encoding):
    assert "1 problem" in refused(HEAD.replace("UTF-8", encoding) + FOOT)


def test_a_document_that_is_deep_is_refused():
    assert "beyond 24 levels" in refused(HEAD + "<a>" * 1000)


def test_a_million_hosts_are_refused_at_the_ten_thousandth():
    def hosts():
        for number in range(10_100):
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            yield f'<host><status state="up"/><address addr="{address}" addrtype="ipv4"/></host>\n'

    message = refused(HEAD + "".join(hosts()) + FOOT)
    assert "more than 10,000 hosts" in message
    assert "1 problem" in message


def test_a_document_of_another_kind_is_named():
    assert "begins with 'html'; nmap's output begins with nmaprun" in refused("<html></html>")


HOSTILE = (
    "$(reboot)`id`&#10;RUN curl&#10;&#x1f600; {{7*7}} ${HOME} =cmd|'/C calc'!A0 &lt;script&gt; "
    "- !!python/object &#x202e;"
)


def test_hostile_texts_become_inert():
    service = f'<service name="{HOSTILE}" product="{HOSTILE}" version="{HOSTILE}" method="probed" conf="99"/>'
    inventory = read(HEAD + host_xml(port_xml(80, service), name=HOSTILE) + FOOT, keep_names=True)
    [host] = inventory.hosts
    [found] = host.services
    assert found.product is not None
    assert not set("$`{}<>|=!&\n\r\x1b\u202e'\"\\;*") & set(
        f"{host.name}{found.product}{found.version}{found.name}"
    )
    assert found.confidence == 0.3


def test_masscan_writes_nmaps_format_with_one_element_for_each_answer():
    answers = "".join(
        '<host endtime="1"><address addr="10.0.0.5" addrtype="ipv4"/><ports><port protocol="tcp" '
        f'portid="{port}"><state state="open" reason="syn-ack"/>{answer}</port></ports></host>'
        for port, answer in (
            (22, ""),
            (22, '<service name="ssh" banner="SSH-2.0-Own_1"></service>'),
            (80, '<service name="http.server" banner="nginx"></service>'),
            (80, '<service name="title" banner="Welcome to nginx!"></service>'),
            (80, '<service name="http" banner="HTTP/1.1 200 OK\\x0d\\x0aServer: nginx"></service>'),
            (110, '<service name="pop" banner="+OK"></service>'),
            (443, '<service name="X509" banner="MIID"></service>'),
        )
    )
    inventory = read(
        f'<?xml version="1.0"?>\n<!-- masscan v1.0 scan -->\n<nmaprun scanner="masscan" start="1">{answers}'
        "<runstats><finished/></runstats></nmaprun>",
        keep_names=True,
    )
    [host] = inventory.hosts
    assert [source.format for source in inventory.sources] == ["masscan-xml"]
    assert [(each.port, each.name, each.title, each.banner) for each in host.services] == [
        (22, "ssh", None, "SSH-2.0-Own_1"),
        (80, "http", "Welcome to nginx!", "HTTP/1.1 200 OK\\x0d\\x0aServer: nginx"),
        (110, "pop3", None, "+OK"),
        (443, "http", None, None),
    ]
    assert inventory.hosts[0].services[-1].tls is not None


def test_answers_to_a_ping_have_no_port_and_are_left_out():
    ping = '</port><port protocol="icmp" portid="0"><state state="open"/>'
    inventory = read(MASSCAN.format(22, ping))
    assert [each.port for each in inventory.hosts[0].services] == [22]
    assert notes(inventory)["ports of other protocols than TCP and UDP, left out"] == 1


def test_masscans_part_that_names_the_web_server_is_enough_to_know_it():
    inventory = read(MASSCAN.format(8081, '<service name="http.server" banner="nginx/1.26.3"/>'))
    [service] = inventory.hosts[0].services
    assert (service.name, service.label, service.confidence) == ("http", "nginx 1.26.3", 0.8)
    assert not any("asked no service" in each for each in inventory.unread)


MASSCAN = (
    '<nmaprun scanner="masscan" start="1"><host><address addr="10.0.0.5" addrtype="ipv4"/><ports>'
    '<port protocol="tcp" portid="{}"><state state="open"/>{}</port></ports></host><runstats><finished/>'
    "</runstats></nmaprun>"
)


@pytest.mark.parametrize(
    ("port", "answer", "name", "confidence", "guessed"),
    [
        (22, "", "ssh", 0.3, 1),
        (7777, "", None, 0.3, 0),
        (25, '<service name="unknown" banner="ready"/>', "smtp", 0.3, 1),
        (25, '<service name="ssh" banner="SSH-2.0-x"/>', "ssh", 0.8, 0),
        (8443, '<service name="ssl" banner="TLS/1.2 cipher:0xc02f"/>', "http", 0.3, 1),
        (7777, '<service name="ssl" banner="TLS/1.2 cipher:0xc02f"/>', None, 0.3, 0),
    ],
)
def test_a_port_that_masscan_does_not_name_is_guessed_by_its_number(port, answer, name, confidence, guessed):
    inventory = read(MASSCAN.format(port, answer))
    [service] = inventory.hosts[0].services
    assert (service.name, service.confidence) == (name, confidence)
    assert (service.tls is not None) == ("ssl" in answer)
    assert (
        notes(inventory).get("services that nobody names, guessed by the number of their port", 0) == guessed
    )


@pytest.mark.parametrize(
    ("scan", "option"),
    [
        (MASSCAN.format(22, ""), "--banners"),
        (MASSCAN.format(22, '<service name="ssh" banner="SSH-2.0-x"/>'), None),
        (MASSCAN.format(22, "").replace('"open"', '"closed"'), None),
        (HEAD.replace('"nmap"', '"nmap" args="nmap -sS"') + host_xml(port_xml(22)) + FOOT, "-sV"),
        (HEAD.replace('"nmap"', '"nmap" args="nmap -sS"') + host_xml(port_xml(22, NGINX)) + FOOT, None),
        (HEAD.replace('"nmap"', '"nmap" args="nmap -sV"') + host_xml(port_xml(22)) + FOOT, None),
        (HEAD + host_xml(port_xml(22)) + FOOT, None),
    ],
)
def test_a_scan_that_asked_no_service_what_it_is_says_which_option_would(scan, option):
    said = (
        f"file1: the scan asked no service what it is; scan with {option} to know their products and versions"
    )
    assert [each for each in read(scan).unread if "asked no service" in each] == ([said] if option else [])


def test_a_scan_that_was_cut_off_says_how_to_end_it():
    assert "was the scan interrupted? `nmap --resume FILE` ends one" in refused("<nmaprun><host>")
    said = refused('<nmaprun scanner="masscan"><host>')
    assert "was the scan interrupted? scan again; masscan ends its file when it ends" in said
