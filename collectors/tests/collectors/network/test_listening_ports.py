import re
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest

from discovery_collectors.collectors.network import nmap_data
from discovery_collectors.collectors.network.listening_ports import (
    MOST_COMMON,
    ROLES,
    documented_ports,
    rarer_ports,
)
from discovery_collectors.collectors.network.moved_ports import beside, moved_ports
from discovery_collectors.collectors.network.nmap_data import most_common_ports, nmap_environment
from discovery_collectors.collectors.network.second_opinion.protocol_table import QUESTIONS
from discovery_collectors.installed import tcp_ports

ROWS = documented_ports()
needs_nmaps_data = pytest.mark.skipif(
    not any(folder.is_dir() for folder in nmap_data.DATA_FOLDERS), reason="needs nmap's data"
)


def test_every_row_is_a_port_with_a_role_and_a_source():
    for row in ROWS:
        assert 1 <= row.port <= 65535, row
        assert row.protocol == "tcp", row
        assert row.role in ROLES, row
        source = urlsplit(row.source)
        assert source.scheme in {"http", "https"}, row
        assert "." in (source.hostname or ""), row
        assert re.fullmatch(r"\S(?:[^\t]{0,58}\S)?", row.software), row


def test_a_product_has_each_port_once_and_the_table_is_sorted():
    places = [(row.port, row.protocol, row.software) for row in ROWS]
    assert len(set(places)) == len(places)
    assert places == sorted(places, key=lambda place: (place[0], place[2].casefold()))


@pytest.mark.parametrize(
    ("software", "port"),
    [
        ("PgBouncer", 6432),
        ("CockroachDB", 26257),
        ("Redis Sentinel", 26379),
        ("Apache Kafka", 9092),
        ("RabbitMQ", 15692),
        ("HAProxy", 8404),
        ("OpenTelemetry Collector", 4317),
        ("Kubernetes kubelet", 10250),
        ("Gerrit", 29418),
        ("WinRM", 5985),
        ("Modbus", 502),
        ("Bareos", 9102),
        ("Performance Co-Pilot", 44321),
        ("NNTP", 119),
        ("Netatalk", 548),
        ("RRDtool rrdcached", 42217),
        ("NTS key establishment", 4460),
        ("mtail", 3903),
        ("MooseFS", 9421),
        ("ICAP", 1344),
        ("BOINC", 31416),
        ("pgBackRest", 8432),
        ("twemproxy", 22121),
        ("systemd-journal-remote", 19532),
        ("pgagroal", 2345),
        ("Pgpool-II", 9898),
        ("Patroni", 8008),
        ("GNU Mailman", 8024),
        ("OpenStack Swift", 6202),
        ("I2P", 4447),
        ("Unbound", 5335),
        ("Icecream", 10245),
        ("ZeroC IceGrid", 4061),
        ("Zabbix web service", 10053),
    ],
)
def test_knows_where_todays_software_listens(software, port):
    assert port in {row.port for row in ROWS if row.software == software}


@needs_nmaps_data
def test_quick_covers_the_table_the_collectors_ports_and_nmaps_thousand_and_no_more():
    documented = {row.port for row in ROWS} | set(tcp_ports()) | most_common_ports(MOST_COMMON)
    assert 1500 <= len(documented) <= 1750
    digits = {row.port for row in ROWS if row.role != "metrics"}
    everything = documented | moved_ports() | beside((row.port for row in ROWS), digits)
    assert len(everything) < 3400  # each costs a host 24 µs of processor
    rarer = rarer_ports(tcp_ports())
    assert rarer | most_common_ports(MOST_COMMON) == everything
    assert not rarer & most_common_ports(MOST_COMMON)


def test_quick_looks_wherever_a_question_is_first_asked():
    scanned = rarer_ports(tcp_ports()) | most_common_ports(MOST_COMMON)
    assert {port for question in QUESTIONS for port in question.ports} <= scanned


def test_an_exporter_is_looked_for_next_to_its_port_and_its_digits_nowhere_else():
    assert {9154, 12380} <= rarer_ports(tcp_ports())
    assert 19153 not in rarer_ports(tcp_ports())


def test_quick_does_not_look_where_any_text_is_a_command_to_a_radio():
    # Hamlib's rigctld reads "GET /" as commands to the transmitter that it controls.
    assert 4532 not in rarer_ports(tcp_ports()) | most_common_ports(MOST_COMMON)


@pytest.mark.skipif(shutil.which("nmap") is None, reason="needs nmap")
def test_real_nmap_scans_exactly_these_ports():
    rarer = rarer_ports(tcp_ports())
    with nmap_environment(rarer, banner_wait_ms=1500, answer_wait_ms=3000) as environment:
        # Without a target it only says what it would scan.
        said = subprocess.run(
            ["nmap", "-v", "-oG", "-", "--top-ports", str(MOST_COMMON + len(rarer))],
            env=environment | {"PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    ranges = re.search(r"TCP\(\d+;([\d,-]+)\)", said)[1].split(",")
    scanned = set()
    for each in ranges:
        first, _, last = each.partition("-")
        scanned |= set(range(int(first), int(last or first) + 1))
    assert scanned == rarer | most_common_ports(MOST_COMMON)


def test_without_nmaps_data_nothing_is_taken_for_common(monkeypatch, tmp_path):
    monkeypatch.setattr(nmap_data, "DATA_FOLDERS", (tmp_path,))
    assert most_common_ports(1000) == frozenset()
    assert {row.port for row in ROWS} <= rarer_ports(())


@pytest.mark.parametrize(
    ("usual", "places"),
    [
        (22, {2222, 1022, 2022, 8022, 10022, 20022, 60022, 22022}),
        (53, {5300}),
        (80, {8080, 1080, 10080, 50080}),
        (389, {1389, 8389, 10389, 3890}),
        (636, {6636}),
        (3389, {33890}),
        (853, {8853, 1853, 10853}),
        (5432, {5433, 5442, 5532, 15432, 25432, 35432, 45432, 55432}),
        (6379, {6380, 16379, 26379, 46379}),
        (11211, {11212, 21211}),
    ],
)
def test_a_moved_service_is_looked_for_where_its_digits_stay(usual, places):
    assert places <= moved_ports()
    assert all(1 <= port <= 65535 for port in moved_ports())


def test_web_applications_and_ssh_of_virtual_machines_are_looked_for_side_by_side():
    assert {8000, 8099, 8180, 8980, 8181, 9999, 2200, 2250} <= moved_ports()
    assert not {2251, 8150, 10100} & moved_ports()
