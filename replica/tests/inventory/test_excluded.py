"""Hosts that collectors will not scan are left out of the inventory, and counted."""

from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.model import Inventory
from dryrun_replica.inventory.reading import InventoryFile, read_inventory

TABLE = b"""host,ip,port,product
db,10.0.0.7,5432,PostgreSQL
web,10.0.0.8,80,nginx
web,10.9.0.8,443,nginx
plc,10.9.0.9,80,nginx
v6,2001:db8::9,80,nginx
named,,22,OpenSSH
"""


def read(*exclude: str, table: bytes = TABLE) -> Inventory:
    files = [InventoryFile("hosts.csv", table)]
    return read_inventory(files, datetime.now(UTC), keep_names=True, exclude=[*map(ip_network, exclude)])


def notes(inventory: Inventory) -> dict[str, int]:
    return {note.what: note.count for note in inventory.notes if "--exclude" in note.what}


@pytest.mark.parametrize(
    ("exclude", "left", "said"),
    [
        ((), "db web plc v6 named", {}),
        # A host that has another address is still scanned.
        (("10.9.0.0/16",), "db web v6 named", {"hosts that --exclude leaves out": 1}),
        (("10.9.0.0/16", "10.0.0.8"), "db v6 named", {"hosts that --exclude leaves out": 2}),
        (("2001:db8::/64",), "db web plc named", {"hosts that --exclude leaves out": 1}),
        # What has no effect may be mistyped.
        (
            ("10.8.0.0/16", "2001:db9::/64"),
            "db web plc v6 named",
            {"networks of --exclude in which the files have no address": 2},
        ),
    ],
)
def test_hosts_all_of_whose_addresses_are_excluded_are_left_out_and_counted(
    exclude: tuple[str, ...], left: str, said: dict[str, int]
) -> None:
    inventory = read(*exclude)
    assert [host.name for host in inventory.hosts] == left.split()
    assert notes(inventory) == said


def test_a_host_that_a_scan_found_is_left_out_all_the_same() -> None:
    scan = (
        b'<nmaprun scanner="nmap"><host><status state="up"/><address addr="10.9.0.9" addrtype="ipv4"/><ports>'
        b'<port protocol="tcp" portid="80"><state state="open"/></port></ports></host>'
        b'<host><status state="up"/><address addr="10.0.0.9" addrtype="ipv4"/></host></nmaprun>'
    )
    assert len(read("10.9.0.9", table=scan).hosts) == 1


def test_an_inventory_of_which_all_is_excluded_is_refused_and_says_so() -> None:
    with pytest.raises(InventoryError, match=r"hosts that --exclude leaves out: 1"):
        read("10.0.0.0/8", table=b"ip,port\n10.0.0.7,22\n")
