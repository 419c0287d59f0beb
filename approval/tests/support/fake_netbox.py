"""NetBox's REST API as far as deliveries and pynetbox use it, written from its OpenAPI document (4.2, 4.3)
and its documentation of services (4.7, which announces 5.0).

Objects, filters, pages, errors and the header `API-Version` are NetBox's; what is not here answers 404.
"""

import json
from ipaddress import ip_interface
from typing import Any
from urllib.parse import parse_qs, urlsplit

from receiver import Received, answer

TOKEN = "0123456789abcdef0123456789abcdef01234567"
_READ_ONLY = {"id", "url", "display", "family", "created", "last_updated"}


class FakeNetBox:
    def __init__(self, version: str = "4.3") -> None:
        self.version = version
        self.base = "http://netbox"
        self.addresses: dict[int, dict[str, Any]] = {}
        self.services: dict[int, dict[str, Any]] = {}
        self.writes: list[tuple[str, str]] = []

    def __call__(self, seen: Received) -> bytes:
        parts = urlsplit(seen.target)
        if seen.headers.get("authorization") not in {f"Token {TOKEN}", f"Bearer {TOKEN}"}:
            return self._answer(403, {"detail": "Invalid token"})
        path = parts.path
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if path == "/api/":
            return self._answer(200, {"ipam": f"{self.base}/api/ipam/"})
        if path == "/api/status/":
            return self._answer(200, {"netbox-version": f"{self.version}.0"})
        for name, objects in (("ip-addresses", self.addresses), ("services", self.services)):
            prefix = f"/api/ipam/{name}/"
            if path == prefix:
                return self._collection(seen, name, objects, query)
            if path.startswith(prefix):
                number = path.removeprefix(prefix).strip("/")
                if number.isdecimal() and int(number) in objects:
                    return self._one(seen, name, objects[int(number)])
        return self._answer(404, {"detail": "Not found."})

    def _collection(self, seen: Received, name: str, objects: dict[int, Any], query: dict[str, str]) -> bytes:
        if seen.method == "POST":
            fault, made = self._made(name, seen.json)
            if fault:
                return self._answer(400, fault)
            number = max(objects, default=0) + 1
            objects[number] = {"id": number, "url": f"{self.base}/api/ipam/{name}/{number}/", **made}
            self.writes.append(("POST", name))
            return self._answer(201, objects[number])
        found = [each for each in objects.values() if self._matches(name, each, query)]
        limit = int(query.get("limit", "50")) or 1000
        offset = int(query.get("offset", "0"))
        page = found[offset : offset + limit]
        more = f"{self.base}/api/ipam/{name}/?limit={limit}&offset={offset + limit}"
        following = more if offset + limit < len(found) else None
        return self._answer(200, {"count": len(found), "next": following, "previous": None, "results": page})

    def _one(self, seen: Received, name: str, found: dict[str, Any]) -> bytes:
        if seen.method == "PATCH":
            found.update({key: value for key, value in seen.json.items() if key not in _READ_ONLY})
            self.writes.append(("PATCH", name))
        return self._answer(200, found)

    def _made(self, name: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._made_address(given) if name == "ip-addresses" else self._made_service(given)

    def _made_address(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if "address" not in given:
            return {"address": ["This field is required."]}, {}
        try:
            interface = ip_interface(given["address"])
        except ValueError:
            return {"address": ["Enter a valid IPv4 or IPv6 address"]}, {}
        if len(given.get("description", "")) > 200:
            return {"description": ["Ensure this field has no more than 200 characters."]}, {}
        if any(ip_interface(each["address"]).ip == interface.ip for each in self.addresses.values()):
            return {"address": [f"Duplicate IP address found in global table: {interface}"]}, {}
        status = given.get("status", "active")
        return {}, {
            "display": str(interface),
            "family": {"value": interface.version, "label": f"IPv{interface.version}"},
            "address": str(interface),
            "status": {"value": status, "label": status.title()},
            "assigned_object_type": None,
            "assigned_object_id": None,
            "assigned_object": None,
            "dns_name": given.get("dns_name", ""),
            "description": given.get("description", ""),
        }

    def _made_service(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        major, minor = map(int, self.version.split("."))
        version = (major, minor)
        faults, ports = _made_ports(given, version)
        if "name" not in given:
            faults["name"] = ["This field is required."]
        generic = version >= (4, 3)
        device = virtual = None
        if generic:
            for field in ("parent_object_type", "parent_object_id"):
                if field not in given:
                    faults[field] = ["This field is required."]
            parent = {"id": given.get("parent_object_id")}
            kind = given.get("parent_object_type")
            device = parent if kind == "dcim.device" else None
            virtual = parent if kind == "virtualization.virtualmachine" else None
        else:
            device = {"id": given["device"]} if "device" in given else None
            virtual = {"id": given["virtual_machine"]} if "virtual_machine" in given else None
            if device is None and virtual is None:
                faults["non_field_errors"] = [
                    "A service must be associated with a device or virtual machine."
                ]
        unknown = [each for each in given.get("ipaddresses", []) if each not in self.addresses]
        if unknown:
            faults["ipaddresses"] = [f"Related object not found: {unknown}"]
        for field, most in (("name", 100), ("description", 200)):
            if len(given.get(field, "")) > most:
                faults[field] = [f"Ensure this field has no more than {most} characters."]
        if faults:
            return faults, {}
        return {}, {
            "display": given["name"],
            "device": device,
            "virtual_machine": virtual,
            "name": given["name"],
            **ports,
            "ipaddresses": [
                {"id": each, "address": self.addresses[each]["address"]} for each in given["ipaddresses"]
            ],
            "description": given.get("description", ""),
        }

    def _matches(self, name: str, each: dict[str, Any], query: dict[str, str]) -> bool:
        if name == "ip-addresses":
            wanted = query.get("address")
            return wanted is None or _same_address(each["address"], wanted)
        checks = {
            "device_id": lambda value: (each["device"] or {}).get("id") == int(value),
            "virtual_machine_id": lambda value: (each["virtual_machine"] or {}).get("id") == int(value),
            "name": lambda value: each["name"] == value,
        }
        # Both must hold of one mapping.
        wanted = (query.get("protocol"), query.get("port"))
        if not any(
            all(want in {None, has} for want, has in zip(wanted, mapping.split("/"), strict=True))
            for mapping in each["_mappings"]
        ):
            return False
        return all(check(query[name]) for name, check in checks.items() if name in query)

    def assign(self, address: str, device: int, kind: str = "device") -> None:
        """As a person does in NetBox: make an interface have the address."""
        (found,) = [each for each in self.addresses.values() if _same_address(each["address"], address)]
        interface = "dcim.interface" if kind == "device" else "virtualization.vminterface"
        found["assigned_object_type"] = interface
        found["assigned_object_id"] = 70
        found["assigned_object"] = {"id": 70, "name": "eth0", kind: {"id": device, "name": "web-1"}}

    def _answer(self, status: int, body: Any) -> bytes:
        return answer(status, json.loads(json.dumps(body)), API_Version=self.version)


def _made_ports(
    given: dict[str, Any], version: tuple[int, int]
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return faults, and a service's ports as this version has them; `_mappings` is what filters go by."""
    mapped = version >= (5, 0) or (version >= (4, 7) and "port_mappings" in given)
    required = "port_mappings" if mapped else "ports"
    if required not in given:
        return {required: ["This field is required."]}, {}
    if mapped and {"ports", "protocol"} & given.keys():
        return {"port_mappings": ["Legacy fields contradict port_mappings."]}, {}
    mappings = (
        given["port_mappings"] if mapped else [f"{given['protocol']}/{each}" for each in given["ports"]]
    )
    protocol, numbers = mappings[0].split("/")[0], [int(each.split("/")[1]) for each in mappings]
    made: dict[str, Any] = {"_mappings": mappings}
    if version >= (4, 7):
        made["port_mappings"] = mappings
    if version < (5, 0):
        made |= {"ports": numbers, "protocol": {"value": protocol, "label": protocol.upper()}}
    return {}, made


def _same_address(stored: str, wanted: str) -> bool:
    """As NetBox's filter: without a mask the host decides, with one both do."""
    if "/" in wanted:
        return ip_interface(stored) == ip_interface(wanted)
    return ip_interface(stored).ip == ip_interface(wanted).ip
