"""What people and programs write in the cells of a table that name ports."""

import contextlib
import time

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.readers.port_cells import MAX_PORTS_OF_A_CELL, NO_PORT, NOT_OPEN


@pytest.mark.parametrize(
    ("cell", "services"),
    [
        ("22/ssh 80/http", ["22/tcp ssh", "80/tcp http"]),
        ("tcp:22,udp:161", ["22/tcp ssh", "161/udp snmp"]),
        ("T:22 U:53", ["22/tcp ssh", "53/udp domain"]),
        ("22 (ssh), 443 (https)", ["22/tcp ssh", "443/tcp http"]),
        ("22/tcp/ssh", ["22/tcp ssh"]),
        ("53/udp/domain", ["53/udp domain"]),
        ("22/open/tcp//ssh//", ["22/tcp ssh"]),
        ("22/tcp | 80/tcp", ["22/tcp ssh", "80/tcp http"]),
        ("4443 https, 22 ssh", ["22/tcp ssh", "4443/tcp http"]),
        ("22\r\n80", ["22/tcp ssh", "80/tcp http"]),
        ("22/TCP,53/UDP", ["22/tcp ssh", "53/udp domain"]),
        ("443 (TLS)", ["443/tcp http"]),
        ("22.0", ["22/tcp ssh"]),
        ("2222/ssh", ["2222/tcp ssh"]),
        ("161/open|filtered/udp, 22", ["22/tcp ssh"]),
        ("22 none", ["22/tcp ssh"]),
        ("22, none", ["22/tcp ssh"]),
        ("22/tcp unknown, 4711 (n/a)", ["22/tcp ssh", "4711/tcp unknown"]),
        ("22,443", ["22/tcp ssh", "443/tcp http"]),
        ("80 443", ["80/tcp http", "443/tcp http"]),
        ("SSH (2222), HTTPS (443)", ["443/tcp http", "2222/tcp ssh"]),
        (
            "ssh:2222; postgresql/5433/tcp; dns:5353/udp",
            ["2222/tcp ssh", "5353/udp domain", "5433/tcp postgresql"],
        ),
    ],
)
def test_a_cell_says_ports_with_what_is_spoken_there(cell, services):
    inventory = read(f'host,ports\na,"{cell}"\n')
    assert [*services_of(inventory).values()] == [services]


@pytest.mark.parametrize(
    "cell", ["0", "0.0", "-", "--", "none", "None", "N/A", "n/a", "NaN", "unknown", "?", "general"]
)
def test_a_cell_that_says_there_is_no_port_is_read_as_empty_and_counted(cell):
    inventory = read(f"host,ports\na,{cell}\nb,22\n")
    assert [len(host.services) for host in inventory.hosts] == [0, 1]
    assert notes(inventory)[NO_PORT] == 1


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("22/tpc", "'22/tpc' in the column 'open_ports' is not a port; expected 443, 443/tcp or 443/https"),
        ("22/tcp/udp", "'22/tcp/udp' in the column 'open_ports' is not a port; expected"),
        ("22/ssh/http", "'22/ssh/http' in the column 'open_ports' is not a port; expected"),
        ("ssh", "'ssh' in the column 'open_ports' is not a port; ports are 1 to 65535"),
        ("65536", "'65536' in the column 'open_ports' is not a port; ports are 1 to 65535"),
        ("8000-8100", "'8000-8100' in the column 'open_ports' is not a port; list ports one by one"),
        ('"8,080"', "'080' in the column 'open_ports' is not a port; write it without zeros before it"),
        ('"8,443"', "'8,443' in the column 'open_ports' is one port or two; write 8443, or '8;443'"),
        ("8 443", "'8 443' in the column 'open_ports' is one port or two; write 8443, or '8;443'"),
        ('"15,672"', "'15,672' in the column 'open_ports' is one port or two; write 15672, or '15;672'"),
        ("22/closed/tpc", "'22/closed/tpc' in the column 'open_ports' is not a port"),
        ("Own (22)", "'Own/22' in the column 'open_ports' is not a port; expected 443, 443/tcp or 443/https"),
        ("ssh:22/http", "'ssh:22/http' in the column 'open_ports' is not a port; expected"),
        ("ssh:070", "'ssh:070' in the column 'open_ports' is not a port"),
        ("10.0.0.7:22", "'10.0.0.7:22' in the column 'open_ports' is not a port"),
        (":22", "':22' in the column 'open_ports' is not a port"),
    ],
)
def test_a_cell_that_names_no_port_is_a_fault_with_its_line_and_column(cell, fault):
    with pytest.raises(InventoryError) as refused:
        read(f"host,Open Ports\na,{cell}\n")
    assert f"file1:2: {fault}" in str(refused.value)


def test_ports_that_a_cell_or_a_row_calls_closed_are_left_out_and_counted():
    rows = ["22,open", "80,closed", "443,filtered", "25,Open|Filtered", "8080/closed,", "3306,LISTENING"]
    inventory = read("host,port,state\n" + "".join(f"a,{row}\n" for row in rows))
    assert services_of(inventory) == {"database-1": ["22/tcp ssh", "3306/tcp mysql"]}
    assert notes(inventory)[NOT_OPEN] == 4


def test_ports_of_a_cell_are_counted_after_its_notes_were_read():
    cell = ", ".join(f"{port} (tcp)" for port in range(1, MAX_PORTS_OF_A_CELL + 2))
    with pytest.raises(InventoryError, match=f"lists {MAX_PORTS_OF_A_CELL + 1} ports"):
        read(f'host,ports\na,"{cell}"\n')


@pytest.mark.parametrize(
    "unit", [" ", "1 ", "(", "()", "1 a", "/", ":", "|", "open|", "\t", "1(", "a/", "1 ( "]
)
def test_a_cell_takes_time_by_its_size(unit):
    cell = (unit * 32_000)[:32_000]
    begun = time.monotonic()
    for before, after in (("", ""), ("1", "2"), ("1 ", "x"), ("1 (", ")")):
        with contextlib.suppress(InventoryError):
            read(f'host,ports\na,"{before}{cell}{after}"\n')
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    "cell",
    ["PostgreSQL 5432, SSH 22", "postgresql  5432/tcp; ssh 22", "PostgreSQL 5432 | 22", "5432, ssh 22"],
)
def test_a_cell_may_name_what_is_spoken_before_the_port(cell):
    assert services_of(read(f'host;ports\na;"{cell}"\n')) == {
        "database-1": ["22/tcp ssh", "5432/tcp postgresql"]
    }


def test_a_word_before_a_port_that_nobody_speaks_is_a_fault():
    with pytest.raises(InventoryError, match="'Own/22' in the column 'ports' is not a port"):
        read("host,ports\na,Own 22\n")
