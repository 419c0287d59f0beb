import time
from pathlib import Path

import pytest
from read_files import read, services_of

from dryrun_replica.inventory.found_service import Greeted
from dryrun_replica.recipes import greetings
from dryrun_replica.recipes.banners import load_banners
from dryrun_replica.recipes.greetings import GreetingTable
from dryrun_replica.recipes.probes import read_table

PROBES = r"""
Probe TCP NULL q||
match ftp m|^220 Tool (\d[\d.]*)\r\n|s p/Tool ftpd/ v/$1/
match ftp m|^220 .*| p/Any ftpd/
match ssh m|^SSH-([\d.]+)-Tool\xffbox| p/Toolbox/ v/protocol $1/
match own m|^I am (\w+)| p/$1/
match odd m|^first|i p/Odd/ v/$P(1)/
match ended m|^line 1\r\n$| p/Ended/
match two m%^left|^right% p/Two/
match twice m|^of ([\w.]+)+ end| p/Twice/ v/$1/
softmatch mail m|^\* OK |
Probe TCP GetRequest q|GET / HTTP/1.0\r\n\r\n|
rarity 1
match http m|^asked| p/Asked httpd/
Probe UDP Other q||
match udp m|^datagram| p/Datagram/
"""


@pytest.fixture
def table(tmp_path: Path) -> GreetingTable:
    path = tmp_path / "nmap-service-probes"
    path.write_text(PROBES)
    return GreetingTable(read_table(path))


@pytest.mark.parametrize(
    ("greeting", "named"),
    [
        ("220 Tool 1.2", Greeted("ftp", "Tool ftpd", "1.2")),
        ("line 1\\x0aline 2", Greeted("ended", "Ended", None)),
        ("220 Tool 1.2\\x0aand more", Greeted("ftp", "Tool ftpd", "1.2")),
        ("220 Tool 1.2\\x0d\\x0aand more", Greeted("ftp", "Tool ftpd", "1.2")),
        ("220 Tool 1.2\\r\\n", Greeted("ftp", "Tool ftpd", "1.2")),
        ("220 anything else", Greeted("ftp", "Any ftpd", None)),
        ("SSH-2.0-Tool\\xFFbox", Greeted("ssh", "Toolbox", "protocol 2.0")),
        ("FIRST of all", Greeted("odd", "Odd", None)),
        ("right", Greeted("two", "Two", None)),
        (
            "HTTP/1.1 200 OK\\x0d\\x0aDate: now\\x0d\\x0aServer: nginx/1.26.3 (x)",
            Greeted("http", "nginx", "1.26.3"),
        ),
        ("HTTP/1.0 404 No\\r\\nserver: Kestrel\\r\\n", Greeted("http", "Kestrel", None)),
        ("HTTP/1.1 200 OK", Greeted("http")),
        ("I am Acme", Greeted("own")),
        ("* OK ready", Greeted("mail")),
        ("* OK 220 Tool\\x0a220 Tool 1.2", Greeted("mail")),
    ],
)
def test_a_greeting_names_what_nmap_would_name(table, greeting, named):
    assert table.name(greeting) == named


@pytest.mark.parametrize("greeting", ["I was Acme", "asked", "datagram", "", "HTTP", "nothing"])
def test_a_greeting_that_no_line_knows_names_nothing(table, greeting):
    assert table.name(greeting) is None


def test_a_class_that_a_line_repeats_twice_is_searched_for_in_no_more_time(table):
    assert table.name("of 1.2 end") == Greeted("twice", "Twice", "1.2")
    begun = time.monotonic()
    assert table.name("of " + 28 * "1" + " start") is None
    assert time.monotonic() - begun < 1


def test_beyond_the_bound_a_greeting_is_counted_and_not_read(table, monkeypatch):
    monkeypatch.setattr(greetings, "MAX_GREETINGS", 2)
    for number in (1, 2, 3, 4, 4, 1):
        table.name(f"220 Tool {number}")
    assert (table.name("220 Tool 2"), table.name("220 Tool 3")) == (Greeted("ftp", "Tool ftpd", "2"), None)
    assert table.not_read == 2


def test_a_scan_by_masscan_identifies_servers_by_nmaps_own_table():
    banners = load_banners()
    assert banners is not None
    scan = (Path(__file__).parents[1] / "inventory/files/masscan.xml").read_bytes()
    assert services_of(read(scan, keep_names=True, named_by=GreetingTable(banners.patterns).name)) == {
        "web-1": ["3000/tcp http"],
        "files-1": ["21/tcp vsftpd 3.0.5"],
        "remote-1": ["22/tcp OpenSSH 10.0p2"],
        "mail-1": ["25/tcp Postfix smtpd"],
    }
