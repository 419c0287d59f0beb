"""Exports of programs that keep inventories, shortened: each is read rightly, or says what it lacks."""

from pathlib import Path

import pytest
from read_files import read, services_of

from dryrun_replica.inventory.faults import InventoryError

EXPORTS = Path(__file__).parent / "files" / "exports"
READ = {
    "device42.csv": {"web-1": ["22/tcp ssh", "443/tcp http", "8443/tcp http"]},
    "lansweeper.csv": {"database-1": ["1433/tcp Microsoft SQL Server 15.0.2000.5"]},
    "servicenow.csv": {"web-1": ["80/tcp http", "443/tcp http"]},
    "phpipam.csv": {"host-1": []},
    "glpi.csv": {"host-1": []},
    "snipe-it.csv": {"host-1": []},
    "ocs.csv": {"host-1": []},
    "prtg.csv": {"host-1": [], "host-2": []},
    "nagios.csv": {"web-1": ["443/tcp http"], "mail-1": ["25/tcp smtp"]},
    "qualys.csv": {"host-1": ["4443/tcp unknown"]},
    "nessus.csv": {"remote-1": ["22/tcp ssh"]},
    "openvas.csv": {"database-1": ["5432/tcp postgresql"]},
    "rapid7.csv": {"web-1": ["22/tcp OpenSSH 8.0", "8443/tcp Apache Tomcat 9.0.65"]},
    "azure-portal.csv": {"web-1": ["22/tcp ssh", "443/tcp http"]},
    "rvtools.csv": {"host-1": [], "host-2": []},
    "spreadsheet-de.csv": {"web-1": ["443/tcp nginx 1.26.3"]},
    "spreadsheet-fr.csv": {"database-1": ["3306/tcp MariaDB 10.11"]},
    "spreadsheet-es.csv": {"web-1": ["80/tcp http", "443/tcp http"]},
}
REFUSED = {
    "qualys-with-head.csv": (
        "file1:1: has no column that names the host; known are host, hostname, fqdn, ip_address, ip, "
        "address. The first line has to be the heading"
    ),
    "spreadsheet-cp1252.csv": (
        "file1: is not UTF-8 at byte 20, in line 1; save it as UTF-8 (a spreadsheet's `CSV UTF-8`), or "
        "convert it: `iconv -f WINDOWS-1252 -t UTF-8 FILE`"
    ),
    "spreadsheet-thousands.csv": (
        "file1:2: '8,443' in the column 'port' is one port or two; write 8443, or '8;443'"
    ),
}


@pytest.mark.parametrize("name", READ)
def test_an_export_is_read_as_its_program_means_it(name):
    assert services_of(read((EXPORTS / name).read_bytes())) == READ[name]


@pytest.mark.parametrize("name", REFUSED)
def test_an_export_that_cannot_be_read_says_what_to_do(name):
    with pytest.raises(InventoryError) as refused:
        read((EXPORTS / name).read_bytes())
    assert REFUSED[name] in str(refused.value)


def test_every_export_is_tried():
    assert {file.name for file in EXPORTS.iterdir()} == READ.keys() | REFUSED.keys()


def test_a_port_of_a_switch_is_named_among_what_is_not_read():
    assert "'port'" in read((EXPORTS / "phpipam.csv").read_bytes()).unread[0]


def test_the_title_of_a_finding_is_no_pages():
    [service] = read((EXPORTS / "qualys.csv").read_bytes()).hosts[0].services
    assert (service.title, service.tls is not None) == (None, True)
