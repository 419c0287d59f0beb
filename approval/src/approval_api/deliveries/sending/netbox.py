"""NetBox's REST API: hosts become IP addresses, services become services of the device that has the address.

NetBox has no idempotency keys, so everything is looked up before it is created, and again when creating it
is refused. What people entered there is never changed: only what carries our mark is.
"""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import JsonValue

from approval_api.deliveries.sending.answers import paths_of, require_success
from approval_api.deliveries.sending.netbox_descriptions import (
    MARK,
    called_gone,
    described,
    is_called_gone,
    is_named_by_another,
    product_of,
)
from approval_api.deliveries.sending.sender import Item, RefusedError, Result
from approval_api.egress.client import Answer, Egress, NotAnsweredError
from dryrun_contract.bounded_json import JsonBounds, read_json
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.text import printable

GONE_STATUS = "deprecated"
"""Status of an IP address that is gone; services have none in NetBox."""
_BOUNDS = JsonBounds(size=1024 * 1024, values=50_000)
_PARENTS = {"dcim.interface": "device", "virtualization.vminterface": "virtual_machine"}
_OBJECT_TYPES = {"device": "dcim.device", "virtual_machine": "virtualization.virtualmachine"}
_GENERIC_PARENTS_SINCE = (4, 3)
"""Since then a service names its parent by type and id."""
_PORT_MAPPINGS_SINCE = (4, 7)
"""Since then a service has `port_mappings`; `ports` and `protocol` are deprecated, and gone in 5.0."""
_API_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_EXTENDED = "but people added ports to its service, which is left as it is"

type Object = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an item means in NetBox, beside what NetBox has."""

    path: str
    values: Object
    """What a new object gets."""
    existing: Object | None

    @property
    def is_ours(self) -> bool:
        """Return whether a delivery made what is there, and people have added no port to it."""
        return self._is_marked and not self.is_extended

    @property
    def is_extended(self) -> bool:
        """Return whether people have added ports to a service that a delivery made with one."""
        found = self.existing or {}
        ports = found.get("port_mappings") or found.get("ports")
        return self._is_marked and isinstance(ports, list) and len(ports) > 1

    @property
    def _is_marked(self) -> bool:
        return self.existing is not None and str(self.existing.get("description", "")).startswith(MARK)

    def change(self, item: Item) -> Object:
        """Return the values that an object of ours should have and has not; none for other people's.

        Of a service that people extended since, only our word that it is gone is taken back.
        """
        if self.existing is not None and self.is_extended and is_called_gone(self.existing, item):
            return {"description": self.values["description"]}
        if self.existing is None or not self.is_ours or is_named_by_another(self.existing, item):
            return {}
        changed: Object = {
            name: self.values[name]
            for name in ("name", "description")
            if name in self.values and self.existing.get(name) != self.values[name]
        }
        # People set a status of their own; only the one that a removal set is taken back.
        if "status" in self.values and _status(self.existing) == GONE_STATUS:
            changed["status"] = self.values["status"]
        return changed

    def end(self, item: Item) -> Object:
        """Return what an object of ours lacks of being marked as gone; nothing is deleted."""
        if self.existing is None or not self.is_ours:
            return {}
        wanted: Object = {"description": called_gone(item)}
        if "status" in self.values:
            wanted["status"] = GONE_STATUS
        has = {**self.existing, "status": _status(self.existing)}
        return {name: value for name, value in wanted.items() if has.get(name) != value}


class _NowhereError(RefusedError):
    """NetBox has no place where a service could be."""


class NetBoxSender:
    """Speaks with one NetBox by a token."""

    def __init__(self, egress: Egress, url: str, token: str) -> None:
        """Use the NetBox at `url`, by a token of either version."""
        self._egress = egress
        self._base = url.rstrip("/")
        self._token = token
        scheme = "Bearer" if token.startswith("nbt_") else "Token"
        self._headers = {
            "Authorization": f"{scheme} {token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

    async def look(self, item: Item) -> Result:
        """Return what sending would create or change; NetBox is only read."""
        if item.is_removal:
            wanted, change = await self._end(item)
            if not change or wanted is None:
                return _nothing_to_end(item, wanted)
            return Result("remove", f"would be marked as gone: {', '.join(sorted(change))}")
        wanted = await self._compare(item)
        if wanted is None:
            return Result("leave", f"NetBox has no objects of kind {item.kind}")
        if wanted.existing is None:
            return Result("create", f"would be created in {wanted.path}")
        if change := wanted.change(item):
            return Result("change", f"would change: {', '.join(sorted(change))}", _url(wanted.existing))
        return _as_it_is(wanted, wanted.existing)

    async def check(self) -> str:
        """Return NetBox's version, which lists addresses to whom the token belongs."""
        await self._find("/api/ipam/ip-addresses/", {})
        major, minor = await self._version()
        return f"NetBox {major}.{minor} lists addresses to this token"

    async def send(self, item: Item) -> Result:
        """Create it or change it, unless NetBox has it as it is; mark it where it is gone."""
        if item.is_removal:
            wanted, change = await self._end(item)
            if not change or wanted is None or wanted.existing is None:
                return _nothing_to_end(item, wanted)
            answer = await self._ask("PATCH", f"{wanted.path}{wanted.existing['id']}/", change)
            return Result("remove", f"HTTP {answer.status}, marked as gone", _url(_object(answer)))
        wanted = await self._compare(item)
        if wanted is None:
            return Result("leave", f"NetBox has no objects of kind {item.kind}")
        if wanted.existing is None:
            return await self._create(item, wanted)
        if change := wanted.change(item):
            answer = await self._ask("PATCH", f"{wanted.path}{wanted.existing['id']}/", change)
            return Result("change", f"HTTP {answer.status}", _url(_object(answer)))
        return _as_it_is(wanted, wanted.existing)

    async def _end(self, item: Item) -> tuple[_Wanted | None, Object]:
        """Return what NetBox has of something that is gone, and what to change of it."""
        if item.is_found_by_another:
            return None, {}
        try:
            wanted = await self._compare(item)
        except _NowhereError:
            return None, {}
        return wanted, {} if wanted is None else wanted.end(item)

    async def _create(self, item: Item, wanted: _Wanted) -> Result:
        try:
            answer = await self._ask("POST", wanted.path, wanted.values)
        except RefusedError:
            # A request whose answer was lost may have been carried out only now: then NetBox has it.
            again = await self._compare(item)
            if again is None or again.existing is None:
                raise
            return Result("leave", "NetBox has it", _url(again.existing))
        return Result("create", f"HTTP {answer.status}", _url(_object(answer)))

    async def _compare(self, item: Item) -> _Wanted | None:
        if item.kind not in {"host", "service"}:
            return None
        key = ResourceKey.parse(item.key)
        address = key.address
        if address is None:
            raise RefusedError(f"{printable(key.host)} is a name; NetBox's hosts are addresses")
        found = await self._find("/api/ipam/ip-addresses/", {"address": str(address)})
        if item.kind == "host":
            description = described(item, "host")
            values: Object = {
                "address": f"{address}/{address.max_prefixlen}",
                "status": "active",
                "description": description,
            }
            return _Wanted("/api/ipam/ip-addresses/", values, found)
        if found is None:
            raise _NowhereError(f"NetBox does not have {address}; deliver the host first")
        return await self._compare_service(item, key, found)

    async def _compare_service(self, item: Item, key: ResourceKey, address: Object) -> _Wanted:
        kind = _PARENTS.get(str(address.get("assigned_object_type")))
        assigned = address.get("assigned_object")
        parent = assigned.get(kind) if kind is not None and isinstance(assigned, dict) else None
        if kind is None or not isinstance(parent, dict):
            raise _NowhereError(
                "NetBox keeps services on devices and virtual machines, and this address is assigned to "
                "none; assign it there, then send again"
            )
        port, protocol = key.port, key.transport
        if port is None:
            raise RefusedError("a service of NetBox has a port, and this one has none")
        path = "/api/ipam/services/"
        query = {f"{kind}_id": str(parent["id"]), "port": str(port), "protocol": str(protocol)}
        existing = await self._find(path, query)
        values: Object = {
            "name": product_of(item)[:100],
            "ipaddresses": [address["id"]],
            "description": described(item, "service"),
        }
        version = await self._version()
        if version >= _PORT_MAPPINGS_SINCE:
            values["port_mappings"] = [f"{protocol}/{port}"]
        else:
            values |= {"ports": [port], "protocol": protocol}
        if version >= _GENERIC_PARENTS_SINCE:
            values |= {"parent_object_type": _OBJECT_TYPES[kind], "parent_object_id": parent["id"]}
        else:
            values |= {kind: parent["id"]}
        return _Wanted(path, values, existing)

    async def _version(self) -> tuple[int, int]:
        """Return NetBox's version, which decides how services are written."""
        answer = await self._ask("GET", "/api/")
        found = _API_VERSION.fullmatch(answer.headers.get("api-version", ""))
        if found is None:
            raise RefusedError("the answer names no API-Version; this is not NetBox")
        return int(found[1]), int(found[2])

    async def _find(self, path: str, query: dict[str, str]) -> Object | None:
        """Return the first object that `query` finds, the one with the lowest id."""
        answer = await self._ask("GET", f"{path}?{urlencode({**query, 'limit': '2', 'ordering': 'id'})}")
        results = _object(answer).get("results")
        if not isinstance(results, list):
            raise RefusedError("the answer is not a list; this is not NetBox")
        first = results[0] if results else None
        if first is None:
            return None
        if not isinstance(first, dict) or not isinstance(first.get("id"), int):
            raise RefusedError("the answer lists no objects; this is not NetBox")
        return first

    async def _ask(self, method: str, path: str, body: Object | None = None) -> Answer:
        sent = b"" if body is None else json.dumps(body).encode()
        answer = await self._egress.request(method, f"{self._base}{path}", headers=self._headers, body=sent)
        require_success(answer, self._token, *paths_of(self._base))
        return answer


def _as_it_is(wanted: _Wanted, existing: Object) -> Result:
    more = f", {_EXTENDED}" if wanted.is_extended else ""
    return Result("leave", f"NetBox has it{more}", _url(existing))


def _nothing_to_end(item: Item, wanted: _Wanted | None) -> Result:
    if item.is_found_by_another:
        return Result("leave", "another collector still finds it")
    if wanted is None or wanted.existing is None:
        return Result("leave", "NetBox does not have it")
    if wanted.is_extended:
        return Result("leave", f"it is gone, {_EXTENDED}; remove this port there", _url(wanted.existing))
    if not wanted.is_ours:
        return Result("leave", "people entered it; it is left as it is", _url(wanted.existing))
    return Result("leave", "NetBox has it as gone", _url(wanted.existing))


def _object(answer: Answer) -> Object:
    try:
        value = read_json(answer.body, _BOUNDS)
    except ValueError as error:
        raise NotAnsweredError("the answer is not JSON, or too much of it") from error
    if not isinstance(value, dict):
        raise NotAnsweredError("the answer is not a JSON object")
    return value


def _url(found: Object) -> str | None:
    url = found.get("url")
    return url if isinstance(url, str) else None


def _status(found: Object) -> JsonValue:
    status = found.get("status")
    return status.get("value") if isinstance(status, dict) else status
