"""Exports of a NetBox as companies keep them: full objects of the REST API, made from a seed."""

import json
import random

ROLES = (
    # role, share of hosts, device or virtual machine, services
    ("Web Server", 18, "machine", (("nginx 1.24.0", "tcp", (80, 443)), ("SSH", "tcp", (22,)))),
    ("Web Server", 9, "machine", (("Apache httpd 2.4.57", "tcp", (80, 443)), ("SSH", "tcp", (22,)))),
    (
        "Application Server",
        12,
        "machine",
        (("Tomcat 9.0.83", "tcp", (8080,)), ("OpenSSH 9.2p1", "tcp", (22,))),
    ),
    ("Database", 7, "machine", (("PostgreSQL 15.5", "tcp", (5432,)), ("SSH", "tcp", (22,)))),
    ("Database", 4, "machine", (("MariaDB 10.11", "tcp", (3306,)), ("SSH", "tcp", (22,)))),
    ("Cache", 4, "machine", (("Redis 7.0.15", "tcp", (6379,)),)),
    ("Message Broker", 2, "machine", (("RabbitMQ 3.12", "tcp", (5672, 15672)), ("SSH", "tcp", (22,)))),
    (
        "Mail",
        2,
        "machine",
        (("Postfix", "tcp", (25, 587)), ("Dovecot", "tcp", (143, 993)), ("SSH", "tcp", (22,))),
    ),
    ("DNS", 2, "device", (("BIND 9.18.19", "udp", (53,)), ("BIND 9.18.19", "tcp", (53,)))),
    ("Directory", 2, "device", (("OpenLDAP", "tcp", (389, 636)),)),
    ("Monitoring", 2, "machine", (("Grafana 10.2", "tcp", (3000,)), ("Prometheus", "tcp", (9090,)))),
    ("File Server", 3, "device", (("Samba 4.17", "tcp", (139, 445)),)),
    ("Internal", 4, "machine", (("pinehub-billing", "tcp", (8443,)),)),
    ("Print Server", 1, "device", (("CUPS 2.4", "tcp", (631,)),)),
    ("Access Switch", 18, "device", ()),
    ("Core Router", 4, "device", (("SNMP", "udp", (161,)), ("SSH", "tcp", (22,)))),
    ("PDU", 6, "device", ()),
)
SITES = ("Oslo", "Bergen", "Tromso")


def netbox_export(count: int, seed: int = 0) -> dict[str, str]:
    """File name → JSON, of devices, virtual machines, addresses and services of `count` hosts."""
    chance = random.Random(seed)
    lists: dict[str, list[dict[str, object]]] = {
        "devices": [],
        "machines": [],
        "addresses": [],
        "services": [],
    }
    for number in range(1, count + 1):
        role, _, kind, services = chance.choices(ROLES, [row[1] for row in ROLES])[0]
        parent = _host(number, role, kind, chance)
        lists["devices" if kind == "device" else "machines"].append(parent)
        brief = {key: parent[key] for key in ("id", "url", "display", "name")}
        owner = {
            "device": brief if kind == "device" else None,
            "virtual_machine": None if kind == "device" else brief,
        }
        lists["addresses"].append(_address(number, owner))
        for name, protocol, ports in services:
            if chance.random() < 0.1:
                continue  # nobody keeps everything up to date
            lists["services"].append(_service(len(lists["services"]) + 1, name, protocol, ports, owner))
    return {
        f"{name}.json": json.dumps({"count": len(rows), "next": None, "previous": None, "results": rows})
        for name, rows in lists.items()
    }


def _host(number: int, role: str, kind: str, chance: random.Random) -> dict[str, object]:
    path = "dcim/devices" if kind == "device" else "virtualization/virtual-machines"
    site = chance.choice(SITES)
    name = f"{site[:3].lower()}-{role.split(maxsplit=1)[0].lower()}{number:03}.pinehub.example"
    host: dict[str, object] = {
        "id": number,
        "url": f"https://netbox.pinehub.example/api/{path}/{number}/",
        "display": name,
        "name": name,
        "role": {"id": 1, "url": "https://netbox.pinehub.example/api/dcim/device-roles/1/", "name": role},
        "tenant": {"id": 1, "name": "Pinehub AS", "slug": "pinehub"},
        "platform": {"id": 2, "name": "Debian 12", "slug": "debian-12"},
        "site": {"id": 1, "name": site, "slug": site.lower()},
        "status": {"value": "active", "label": "Active"},
        "primary_ip4": {"id": number, "family": 4, "address": f"10.20.{number >> 8}.{number & 255}/24"},
        "primary_ip6": None,
        "cluster": None if kind == "device" else {"id": 3, "name": "pinehub-kvm"},
        "comments": "",
        "tags": [{"id": 5, "name": "managed", "slug": "managed", "color": "9e9e9e"}],
        "custom_fields": {"owner": "it@pinehub.example", "patch_window": None},
        "created": "2024-02-01T09:00:00Z",
        "last_updated": "2026-05-01T09:00:00Z",
    }
    if kind == "device":
        host |= {
            "device_type": {"id": 1, "model": "R640", "manufacturer": {"name": "Dell"}},
            "serial": f"PH{number}",
        }
    else:
        host |= {"vcpus": 2.0, "memory": 4096, "disk": 40}
    return host


def _address(number: int, owner: dict[str, object]) -> dict[str, object]:
    return {
        "id": number,
        "url": f"https://netbox.pinehub.example/api/ipam/ip-addresses/{number}/",
        "family": {"value": 4, "label": "IPv4"},
        "address": f"10.20.{number >> 8}.{number & 255}/24",
        "dns_name": "",
        "assigned_object_type": "dcim.interface",
        "assigned_object": {
            "id": number,
            "name": "eth0",
            **{k: v for k, v in owner.items() if v is not None},
        },
    }


def _service(
    number: int, name: str, protocol: str, ports: tuple[int, ...], owner: dict[str, object]
) -> dict[str, object]:
    return {
        "id": number,
        "url": f"https://netbox.pinehub.example/api/ipam/services/{number}/",
        "display": f"{name} ({protocol.upper()}/{ports[0]})",
        **owner,
        "name": name,
        "protocol": {"value": protocol, "label": protocol.upper()},
        "ports": list(ports),
        "ipaddresses": [],
        "description": "",
    }
