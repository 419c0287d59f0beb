import re
from pathlib import Path

import pytest

from discovery_collectors.collectors.network import nmap_data
from discovery_collectors.collectors.network.nmap_data import (
    amend_probes,
    amend_services,
    nmap_environment,
)
from discovery_collectors.installed import tcp_ports

PROBES = b"""Exclude T:9100-9107
Probe TCP NULL q||
# Wait for at least 6 seconds for data.
totalwaitms 6000
match ssh m|^SSH-2| p/OpenSSH/
Probe TCP GenericLines q|\\r\\n\\r\\n|
rarity 1
Probe TCP GetRequest q|GET / HTTP/1.0\\r\\n\\r\\n|
totalwaitms 5000
Probe UDP DNSVersionBindReq q|\\0|
rarity 1
Probe TCP Verifier q|Subscribe\\n|
totalwaitms 11000
Probe TCP redis-server q|*1\\r\\n$4\\r\\ninfo\\r\\n|
rarity 8
"""


def test_waits_shorter_for_a_service_to_speak_first():
    amended = amend_probes(PROBES, 1500, 3000)
    assert b"\n# Wait for at least 6 seconds for data.\ntotalwaitms 1500\nmatch ssh" in amended


def test_only_what_may_take_thought_waits_the_whole_time():
    probes = (
        PROBES
        + b"Probe TCP Help q|HELP\\r\\n|\nrarity 3\ntotalwaitms 7500\n"
        + b"Probe TCP SIPOptions q|x|\ntotalwaitms 7500\n"
    )
    amended = amend_probes(probes, 1500, 3000)
    waits = re.findall(
        rb"^Probe TCP (\S+)[^\n]*\n(?:(?!Probe)[^\n]*\n)*?totalwaitms (\d+)$", amended, re.MULTILINE
    )
    assert dict(waits) == {
        b"NULL": b"1500",
        b"GenericLines": b"1000",
        b"GetRequest": b"3000",
        b"Verifier": b"3000",
        b"Help": b"3000",
        b"SIPOptions": b"1000",
        b"redis-server": b"1000",
    }
    assert b"Probe UDP DNSVersionBindReq q|\\0|\nrarity 1\n" in amended


def test_a_command_that_every_irc_server_does_not_know_names_none():
    sure = rb"match irc m|(^:[-.\w]+) 421 \* OPTIONS :Unknown command\r\n| p/Webmaster Conferenceroom/ h/$1/"
    probes = PROBES + b"Probe TCP HTTPOptions q|OPTIONS / HTTP/1.0|\n" + sure + b"\n"
    amended = amend_probes(probes, 1500, 3000)
    assert rb"softmatch irc m|(^:[-.\w]+) 421 \* OPTIONS :Unknown command\r\n|" + b"\n" in amended
    assert b"Conferenceroom" not in amended


def test_a_confirmation_that_xrdp_sends_as_well_names_no_windows():
    sure = (
        rb"match ms-wbt-server m|^\x03\0\0\x0b\x06\xd0\0\0\x12.\0$|s p/Microsoft Terminal Service/ o/Windows/"
    )
    amended = amend_probes(PROBES + b"Probe TCP TerminalServer q|x|\n" + sure + b"\n", 1500, 3000)
    assert rb"softmatch ms-wbt-server m|^\x03\0\0\x0b\x06\xd0\0\0\x12.\0$|s" + b"\n" in amended
    assert b"Microsoft Terminal" not in amended


DASK = b"\x83\xabcompression\xc0\xa6python\x93\3\x0d\5\xafpickle-protocol\5"
DNS_ROW = (
    rb"match domain m|^(?:..)?\0\x06\x81\x05\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03| p/A server/"
)


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (DNS_ROW, False),
        (DNS_ROW.replace(rb"\x81\x05", rb"\x85\x02"), False),
        (
            rb"match domain m|\x07version\x04bind\0\0\x10\0\x03\xc0\x0c\0\x10\0\x03.{7}S ([-\w.]+)|s p/S/",
            True,
        ),
    ],
)
def test_a_dns_answer_that_only_repeats_the_question_names_no_server(row, kept):
    # By UDP too: questions by TCP fall back to its matches.
    by_udp = b"Probe UDP DNSVersionBindReq q|\\0|\n"
    amended = amend_probes(PROBES.replace(by_udp, by_udp + row + b"\n"), 1500, 3000)
    assert (row in amended.splitlines()) is kept


def test_nmap_sends_nothing_where_any_text_is_a_command_or_ends_the_server():
    amended = amend_probes(PROBES, 1500, 3000)
    assert amended.startswith(b"Exclude T:1704-1705,4712-4712,4532-4533,6817-6819,9100-9107\n")


@pytest.mark.parametrize(("rate", "wait_ms"), [(3, 2333), (15, 1266), (300, 1013), (1, 3000), (None, 1000)])
def test_a_question_also_waits_until_its_packets_have_their_turn(monkeypatch, tmp_path, rate, wait_ms):
    (tmp_path / nmap_data.PROBES).write_bytes(PROBES)
    (tmp_path / nmap_data.SERVICES).write_bytes(b"")
    monkeypatch.setattr(nmap_data, "DATA_FOLDERS", (tmp_path,))
    with nmap_environment(
        (), banner_wait_ms=500, answer_wait_ms=3000, packets_per_second=rate
    ) as environment:
        probes = (Path(environment["NMAPDIR"]) / nmap_data.PROBES).read_bytes()
    assert b"GenericLines q|\\r\\n\\r\\n|\ntotalwaitms %d\n" % wait_ms in probes


def test_in_a_hurry_some_probes_are_left_to_their_ports():
    probes = PROBES + b"Probe TCP RPCCheck q|x|\nrarity 4\n"
    amended = amend_probes(probes, 1500, 3000, hurry=True)
    assert amended.partition(b"Probe TCP RPCCheck")[2].endswith(b"rarity 9\n")
    assert b"rarity 9" not in amend_probes(probes, 1500, 3000)


def test_knows_a_mariadb_whose_distribution_appends_to_its_version():
    probe, _, following = amend_probes(PROBES, 1500, 3000).partition(b"\nProbe TCP GenericLines")
    pattern = re.search(rb"^match mysql m\|(.*)\|s p/MariaDB/ v/\$1/", probe, re.MULTILINE)
    greeting = b"\x5a\0\0\0\x0a11.8.9-MariaDB-0+deb13u1 from Debian\0\x07"
    assert re.match(pattern[1], greeting, re.DOTALL).groups() == (b"11.8.9-MariaDB-0+deb13u1", b"11.8.9")
    assert b"MariaDB" not in following


def test_knows_a_mariadb_that_blocks_a_host_by_the_command_that_it_names():
    probe = amend_probes(PROBES, 1500, 3000).partition(b"\nProbe TCP GenericLines")[0]
    pattern = re.search(rb"^match mysql m\|(.*)\|s p/MariaDB/ i/blocked", probe, re.MULTILINE)[1]
    blocked = b"p\0\0\0\xffi\4Host '10.0.0.7' is blocked because of many connection errors; unblock with '"
    assert re.match(pattern, blocked + b"mariadb-admin flush-hosts'", re.DOTALL)
    assert not re.match(pattern, blocked + b"mysqladmin flush-hosts'", re.DOTALL)


def test_knows_dask_by_its_greeting_since_any_question_may_cost_it_gigabytes():
    probe = amend_probes(PROBES, 1500, 3000).partition(b"Probe TCP NULL")[2].partition(b"\nProbe")[0]
    pattern = re.search(rb"^match dask m\|(.*)\|s p/Dask distributed/$", probe, re.MULTILINE)[1]
    greeting = b":" + bytes(7) + b"\1" + bytes(7) + b"*" + bytes(7) + DASK
    assert re.match(pattern, greeting, re.DOTALL)
    assert not re.match(pattern, b"HTTP/1.1 200 OK\r\n\r\n" + greeting, re.DOTALL)


def test_a_greeting_that_any_mail_server_may_send_is_not_called_postfix():
    late = rb"match smtp m|^220 ([-\w_.]+) ESMTP \w+\r\n$| p/Postfix smtpd/ h/$1/"
    own = rb"match smtp m|^220([\s-]\S+) ESMTP Postfix| p/Postfix smtpd/ h/$1/"
    amended = amend_probes(b"Probe TCP Help q|HELP\\r\\n|\n" + late + b"\n" + own + b"\n", 500, 3000)
    assert rb"softmatch smtp m|^220 ([-\w_.]+) ESMTP \w+\r\n$|" + b"\n" in amended
    assert own in amended


def test_what_every_descendant_of_zebra_says_names_none_of_them():
    sure = rb"match zebra m|^Vty password is not set\.\r\n$| p/Quagga routing software/ cpe:/a:quagga:quagga/"
    amended = amend_probes(PROBES + sure + b"\n", 1500, 3000)
    assert rb"softmatch zebra m|^Vty password is not set\.\r\n$|" + b"\n" in amended
    assert b"Quagga" not in amended


def test_a_refusal_of_serfs_is_not_called_consuls():
    heard = rb"consul m|^\x82\xa5Error\xb2Handshake required\xa3Seq\0|"
    sure = b"match " + heard + rb" p/HashiCorp Consul RPC/ cpe:/a:hashicorp:consul/"
    amended = amend_probes(PROBES + sure + b"\n", 1500, 3000)
    assert b"softmatch " + heard in amended.splitlines()
    assert b"HashiCorp" not in amended


def test_no_product_is_called_an_early_version_since_later_ones_may_answer_the_same():
    row = rb"match mysql m|^.\0\0\0\xff...* not allowed$|s p/MariaDB/ v/10.3.23 or earlier/ i/unauthorized/"
    later = rb"match mysql m|^.\0\0\x01\xff..Host .* not allowed$|s p/MariaDB/ v/10.3.24 or later/"
    amended = amend_probes(PROBES + row + b"\n" + later + b"\n", 1500, 3000)
    assert row.replace(b" v/10.3.23 or earlier/", b"") in amended.splitlines()
    assert later in amended.splitlines()


def test_a_refusal_of_every_program_in_go_is_not_explained_by_two_of_them():
    row = rb"match http m|^HTTP/1\.0 404 Not Found\r\n\r\n404 page not found\n| p|Golang net/http server|"
    amended = amend_probes(
        PROBES + row + b" i/Go-IPFS json-rpc or InfluxDB API/ cpe:/a:golang:go/\n", 1500, 3000
    )
    assert row + b" cpe:/a:golang:go/" in amended.splitlines()


def test_knows_a_broker_by_the_header_that_it_wants():
    probe = amend_probes(PROBES, 1500, 3000).partition(b"Probe TCP GetRequest")[2].partition(b"\nProbe")[0]
    pattern = re.search(rb"^match amqp m\|(.*)\|s$", probe, re.MULTILINE)[1]
    for header in (b"AMQP\0\0\x09\x01", b"AMQP\x03\x01\0\0", b"AMQP\x01\x01\0\x0a"):
        assert re.match(pattern, header, re.DOTALL)
    assert not re.match(pattern, b"AMQP is spoken elsewhere", re.DOTALL)


def test_knows_a_redis_that_asks_for_a_password():
    amended = amend_probes(PROBES, 1500, 3000)
    assert b"info\\r\\n|\nmatch redis m|^-NOAUTH Authentication required\\.\\r\\n| p/Redis" in amended


def test_changes_nothing_else():
    amended = amend_probes(PROBES, 6000, 3000)
    added = [line for line in amended.splitlines() if line not in PROBES.splitlines()]
    assert [line.split()[0] for line in added] == [
        b"Exclude",
        b"match",
        b"match",
        b"match",
        b"totalwaitms",
        b"match",
        b"totalwaitms",
        b"totalwaitms",
        b"match",
        b"totalwaitms",
    ]
    replaced = (b"Exclude T:9100-9107", b"totalwaitms 5000", b"totalwaitms 11000")
    kept = [line for line in PROBES.splitlines() if line not in replaced]
    assert [line for line in amended.splitlines() if line not in added] == kept


def test_puts_data_stores_among_the_frequent_ports():
    amended = amend_services(b"redis\t6379/tcp\t0.000076\t# a cache\nredis\t6379/udp\t0.0001\n", tcp_ports())
    lines = amended.splitlines()
    assert lines[:2] == [b"redis\t6379/tcp\t0.990000\t# a cache", b"redis\t6379/udp\t0.0001"]
    assert len(lines) == 2 + len(tcp_ports()) - 1


def test_its_files_vanish_afterwards():
    with nmap_environment(tcp_ports(), banner_wait_ms=1500, answer_wait_ms=3000) as environment:
        folder = Path(environment["NMAPDIR"])
        assert (folder / "scripts" / "script.db").read_text().count("Entry") == 1
    assert not folder.exists()


def test_without_nmaps_data_nmap_goes_by_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(nmap_data, "DATA_FOLDERS", (tmp_path,))
    with nmap_environment(tcp_ports(), banner_wait_ms=1500, answer_wait_ms=3000) as environment:
        assert environment == {}


@pytest.mark.parametrize("folder", [folder for folder in nmap_data.DATA_FOLDERS if folder.is_dir()])
@pytest.mark.parametrize("correction", [*nmap_data._OF_ALL_PROBES, *nmap_data._OF_TCP_PROBES])
def test_the_lines_that_match_are_found_by_what_each_of_them_holds(folder, correction):
    probes = (folder / nmap_data.PROBES).read_bytes()
    lines = correction.lines
    correction = correction._replace(replacement=b"amended")
    assert correction.correct(probes) == lines.sub(b"amended", probes) != probes
    last = probes[: probes.rindex(correction.fragment) + len(correction.fragment)]
    assert correction.correct(last) == lines.sub(b"amended", last)


@pytest.mark.parametrize("folder", [folder for folder in nmap_data.DATA_FOLDERS if folder.is_dir()])
def test_the_installed_nmaps_files_have_the_places_that_are_amended(folder):
    amended = amend_probes((folder / nmap_data.PROBES).read_bytes(), 1500, 3000)
    assert amended.count(b"\ntotalwaitms 1500\n") == 1
    assert amended.count(b"\ntotalwaitms 3000\n") == 4
    assert amended.count(b"\ntotalwaitms 1000\n") > 50
    assert amended.count(b"-NOAUTH Authentication required") == 1


def test_an_answer_of_nscas_length_is_nsca_only_if_it_begins_at_random():
    nsca = b"match nagios-nsca m|^.{128}[\\x52-\\x7F]...$|s p/Nagios NSCA/\n"
    banner = b"match ssh m|^SSH-2| p/OpenSSH/\n"
    amended = amend_probes(PROBES.replace(banner, banner + nsca), 1500, 3000)
    pattern = re.search(rb"^match nagios-nsca m\|(.+)\|s p/Nagios NSCA/$", amended, re.MULTILINE)
    assert pattern is not None
    matches = re.compile(pattern[1], re.DOTALL).match
    assert matches(b"\x9a\0" * 64 + b"\x66\0\0\0")
    assert not matches(b"HTTP/1.1 404 Not Found\r\n".ljust(128) + b"page")


def test_what_every_web_server_may_answer_is_http_whatever_nmap_calls_it():
    row = (
        rb"match daap m|^HTTP/1\.0 404 Not Found\r\nDate: .*\r\nContent-Length: 0\r\n\r\n$| p/A music server/"
    )
    page = b"Probe TCP GetRequest q|GET / HTTP/1.0\\r\\n\\r\\n|\n"
    amended = amend_probes(PROBES.replace(page, page + row + b"\n"), 1500, 3000)
    assert rb"softmatch http m|^HTTP/1\.0 404 Not Found\r\nDate: .*\r\nContent-Length: 0\r\n\r\n$|" in amended
    assert b"music" not in amended


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        (rb"^HTTP/1\.[01] 400 Bad Request\r\nConnection: close\r\nContent-length: 0\r\n\r\n$", False),
        (rb"^HTTP/1\.0 404 Not Found\r\n\r\nNot Found$", False),
        (rb"^HTTP/1\.1 404 Not Found\r\nDate: .*\r\nContent-Length: 0\r\n\r\n$", False),
        (rb"^HTTP/1\.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: text/html\r\n", True),
        (rb"^HTTP/1\.0 404 NON-EXISTENT BACKEND\r\n\r\n$", True),
        (rb"^HTTP/1\.0 200 OK\r\nServer: Boa/(.*)\r\n", True),
    ],
)
def test_what_every_web_server_may_answer_names_no_product(pattern, kept):
    row = b"match http m|" + pattern + b"| p/A television/ v/1/\n"
    page = b"Probe TCP GetRequest q|GET / HTTP/1.0\\r\\n\\r\\n|\n"
    amended = amend_probes(PROBES.replace(page, page + row), 1500, 3000)
    assert (b"\n" + row in amended) is kept
    assert (b"\nsoftmatch http m|" + pattern + b"|\n" in amended) is not kept
