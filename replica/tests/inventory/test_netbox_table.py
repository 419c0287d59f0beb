import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError


def test_a_table_of_netbox_is_read_by_its_columns():
    devices = (
        "Name,Status,Tenant,Site,Role,Manufacturer,Type,IP Address\n"
        "db-7,Active,Pinehub,Oslo,Database,Dell,R640,10.0.0.7/24\n"
    )
    services = (
        "ID,Name,Parent,Protocol,Ports,Description\n1,PostgreSQL 15.3,db-7,TCP,5432,\n2,SSH,db-7,TCP,22,\n"
    )
    addresses = (
        "IP Address,VRF,Status,Assigned,Parent\n10.0.0.8/24,,Active,True,db-7\n10.0.0.9/24,,Active,False,\n"
    )
    inventory = read(devices, services, addresses)
    assert services_of(inventory) == {"database-1": ["22/tcp ssh", "5432/tcp PostgreSQL 15.3"]}
    assert [source.format for source in inventory.sources] == ["netbox"] * 3
    assert notes(inventory) == {"addresses of NetBox without a host, left out": 1}


def test_a_table_of_newer_versions_has_protocol_and_port_in_one_cell():
    services = 'ID,Name,Parent,Port Mappings\n1,BIND 9.20,db-7,"tcp/53, UDP/53"\n2,SSH,db-7,tcp/22\n'
    inventory = read(services, file_format="netbox")
    (found,) = services_of(inventory).values()
    assert found == ["22/tcp ssh", "53/tcp BIND 9.20", "53/udp BIND 9.20"]
    assert services_of(read(services)) == services_of(inventory)


def test_a_cell_that_runs_two_ports_together_is_a_fault_and_no_third_port():
    for cell in ("53udp/53", "443tcp/80"):
        with pytest.raises(InventoryError, match=rf"file1:2: '{cell}' in the column 'port_mappings' is not"):
            read(f"ID,Name,Parent,Port Mappings\n1,DNS,db-7,{cell}\n", file_format="netbox")
