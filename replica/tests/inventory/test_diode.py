import json

import pytest
from read_files import notes, read, services_of

from dryrun_replica.inventory.faults import InventoryError

SITE = {"name": "Oslo"}
DEVICE = {"name": "pine-sw1", "site": SITE, "role": {"name": "Access Switch"}}


def document(*entities):
    # As DiodeDryRunClient of the SDK writes it: protobuf's JSON of an IngestRequest.
    return json.dumps({"stream": "latest", "id": "1", "producer_app_name": "pinehub", "entities": entities})


def refused(text: str) -> str:
    with pytest.raises(InventoryError) as error:
        read(text)
    return str(error.value)


def test_entities_are_joined_by_name_and_site_in_either_spelling_of_protobuf():
    machine = {"name": "pine-db", "primary_ip4": {"address": "10.0.0.2/24"}}
    camel = {"name": "pine-db", "primaryIp4": {"address": "10.0.0.2/24"}}
    address = {"address": "10.0.0.9/24", "assigned_object_interface": {"name": "eth0", "device": DEVICE}}
    inventory = read(
        document(
            {"timestamp": "2026-01-01T00:00:00Z", "device": DEVICE},
            {"device": {**DEVICE, "site": {"name": "Bergen"}}},
            {"service": {"device": DEVICE, "name": "SNMP", "protocol": "udp", "ports": ["161"]}},
            {"virtual_machine": machine},
            {"virtualMachine": camel},
            {"service": {"virtualMachine": {"name": "pine-db"}, "name": "PostgreSQL 15", "ports": [5432]}},
            {"ip_address": address},
            {"site": SITE},
            {"service": {"name": "nobody's"}},
            {"service": {"device": DEVICE, "name": "no port"}},
        )
    )
    assert [source.format for source in inventory.sources] == ["diode"]
    assert services_of(inventory) == {
        "switch-1": ["161/udp snmp"],
        "switch-2": [],
        "database-1": ["5432/tcp PostgreSQL 15"],
    }
    assert notes(inventory) == {
        "entities of Diode that say nothing about hosts, left out": 1,
        "services of Diode without a host of their own, left out": 1,
        "services of Diode without a port, left out": 1,
    }
    assert "pine" not in inventory.model_dump_json().casefold()


def test_faults_name_their_path():
    message = refused(
        document(
            "x",
            {"device": {"name": ""}},
            {"ip_address": {"address": "x"}},
            {"service": {"device": DEVICE, "ports": [0, 70000]}},
            {"service": {"device": DEVICE, "ports": 1}},
        )
    )
    assert message.splitlines()[1:] == [
        "  file1: entities[0]: is not an entity",
        "  file1: entities[1].device: has no name",
        "  file1: entities[2].ip_address: has no address",
        "  file1: entities[3].service.ports[0]: '0' is not a port; ports are 1 to 65535",
        "  file1: entities[3].service.ports[1]: '70000' is not a port; ports are 1 to 65535",
        "  file1: entities[4].service.ports: is a number; expected a list",
    ]
