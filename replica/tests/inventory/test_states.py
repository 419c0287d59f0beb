"""What a table says of its ports and hosts beside them: open or closed, running or gone."""

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.readers.port_cells import NOT_OPEN
from dryrun_replica.inventory.readers.states import OTHER_STATES

GONE = "hosts that the table says are not running (such as retired or down), left out"


@pytest.mark.parametrize(
    "column", ["status", "State", "Host Status", "lifecycle", "Zustand", "Statut", "Estado"]
)
@pytest.mark.parametrize(
    "cell",
    ["Retired", "DECOMMISSIONED", "retired (2023)", "End of life", "Außer Betrieb", "Réformé", "De baja"],
)
def test_a_host_that_is_gone_is_left_out_and_counted(column, cell):
    inventory = read(f"host,ports,{column}\na,22,{cell}\nb,22,Active\n")
    assert services_of(inventory) == {"remote-1": ["22/tcp ssh"]}
    assert notes(inventory)[GONE] == 1
    assert OTHER_STATES not in notes(inventory)


@pytest.mark.parametrize("cell", ["down", "Stopped", "offline", "VM deallocated", "poweredOff"])
def test_what_is_down_is_the_port_of_a_row_for_one_and_else_the_host(cell):
    inventory = read(f'host,ports,status\na,22,{cell}\na,80,up\nb,"22 80",{cell}\nc,,{cell}\n')
    assert services_of(inventory) == {"web-1": ["80/tcp http"]}
    assert notes(inventory)[NOT_OPEN] == 1
    assert notes(inventory)[GONE] == 2


def test_of_a_column_about_hosts_it_is_the_host():
    inventory = read("host,port,host_status\na,22,down\nb,22,up\n")
    assert [*services_of(inventory).values()] == [["22/tcp ssh"]]
    assert notes(inventory)[GONE] == 1


@pytest.mark.parametrize(("cell", "hosts"), [("yes", 2), ("no", 1), ("False", 1), ("1", 2), ("0", 1)])
def test_a_column_in_service_says_yes_or_no(cell, hosts):
    assert len(read(f"host,port,in_service\na,22,{cell}\nb,22,yes\n").hosts) == hosts


@pytest.mark.parametrize("cell", ["0", "1", "2", "OK", "whatever"])
def test_a_state_of_a_monitor_or_of_nothing_known_changes_nothing_and_is_counted(cell):
    inventory = read(f"host,port,status\na,22,{cell}\n")
    assert services_of(inventory) == {"remote-1": ["22/tcp ssh"]}
    assert notes(inventory)[OTHER_STATES] == 1


def test_a_row_that_says_a_host_runs_counts_more_than_one_that_says_it_does_not():
    assert len(read("host,port,status\na,22,retired\na,80,active\n").hosts) == 1


def test_a_scan_that_found_a_host_counts_more_than_a_table():
    scan = (
        '<nmaprun><host><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/><ports>'
        '<port protocol="tcp" portid="22"><state state="open"/></port></ports></host></nmaprun>'
    )
    assert len(read("ip,port,status\n10.0.0.1,22,retired\n", scan).hosts) == 1


def test_a_table_of_hosts_that_are_gone_says_so():
    with pytest.raises(
        InventoryError, match=r"describes no host that runs \(hosts that the table says .*: 2\)"
    ):
        read("host,port,status\na,22,retired\nb,22,stolen\n")


def test_what_a_monitoring_system_looks_at_is_down_without_its_host():
    inventory = read("device,sensor,status\nmail,SMTP,Down\n", "device,status\nold,Down\n")
    assert len(inventory.hosts) == 1
    assert notes(inventory)[OTHER_STATES] == 1
    assert notes(inventory)[GONE] == 1
