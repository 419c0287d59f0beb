"""Deliveries as files: NDJSON, CSV, and the payload of ServiceNow's identification and reconciliation."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import delivery_items as items
from approval_api.deliveries.steady_json import steady_json
from approval_api.discoveries.listing import read_within
from approval_api.reports.csv_file import cell_text
from dryrun_contract.delivery import DeliveryView, FileFormat
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.text import printable

MEDIA: dict[FileFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "servicenow": "application/json",
}
_SUFFIX: dict[FileFormat, str] = {"ndjson": "ndjson", "csv": "csv", "servicenow": "servicenow.json"}
_ROWS = 200
_NAME = 500
_CELL = 32_000
"""Characters; spreadsheets hold 32,767."""
_COLUMNS = (
    "action",
    "kind",
    "key",
    "collector",
    "confidence",
    "data",
    "found_at",
    "approved_by",
    "approved_at",
    "id",
    "revision",
)

# What is not there at all was removed by the policy, which waits for the approval of the removal.
_STILL_APPROVED = text("""CASE WHEN jsonb_exists(delivery_items.content, 'gone_at')
    THEN EXISTS (SELECT 1 FROM gateway.approved_removals d
        WHERE d.id = delivery_items.discovery_id AND d.revision = delivery_items.revision)
        OR NOT EXISTS (SELECT 1 FROM gateway.discoveries d WHERE d.id = delivery_items.discovery_id)
    ELSE EXISTS (SELECT 1 FROM gateway.approved_discoveries d
        WHERE d.id = delivery_items.discovery_id AND d.revision = delivery_items.revision) END
""")

type Content = dict[str, JsonValue]


class Writer(Protocol):
    """Writes items in their order, hosts before what is on them."""

    def add(self, action: str, content: Content) -> str:
        """Return what the file holds of one item."""

    def end(self) -> str:
        """Return the end of the file."""


async def page(
    connection: AsyncConnection, delivery_id: UUID, after: int
) -> tuple[list[tuple[int, str, Content]], bool]:
    """Return id, action and content of delivered items after the id `after`, and whether there are more.

    What was left alone is at the destination already, and in no file. What changed since, or lost its
    approval, is in no file that is fetched from then on.
    """
    query = (
        select(items.c.id, items.c.action, items.c.content)
        .where(
            items.c.delivery_id == delivery_id,
            items.c.id > after,
            items.c.state == "delivered",
            items.c.action != "leave",
            _STILL_APPROVED,
        )
        .order_by(items.c.id)
        .limit(_ROWS + 1)
    )
    rows, more = await read_within(connection, query, ["id"], _ROWS, "content")
    return [(row["id"], row["action"], row["content"]) for row in rows], more


def file_name(delivery: DeliveryView, form: FileFormat) -> str:
    """Return what a browser saves the file as."""
    return f"{delivery.destination}-{str(delivery.id)[:8]}.{_SUFFIX[form]}"


class NdjsonWriter:
    """One JSON object a line, in ASCII: the action and the discovery."""

    def add(self, action: str, content: Content) -> str:
        """Return the line of one discovery."""
        return json.dumps({"action": action, "discovery": content}) + "\n"

    def end(self) -> str:
        """Return nothing: lines have no end."""
        return ""


class CsvWriter:
    """RFC 4180, one row a discovery, its data as JSON; no cell is a formula."""

    def __init__(self) -> None:
        self._begun = False

    def add(self, action: str, content: Content) -> str:
        """Return one row, before the first the head."""
        values = {**content, "action": action, "data": steady_json(content["data"])}
        head = "" if self._begun else _row(_COLUMNS)
        self._begun = True
        return head + _row([cell_text(str(values[name]), _CELL) for name in _COLUMNS])

    def end(self) -> str:
        """Return the head of a file without rows."""
        return "" if self._begun else _row(_COLUMNS)


class ServiceNowWriter:
    """Hosts as computers, services as applications that run on them.

    For `POST /api/now/identifyreconcile`; other kinds have no class there that fits all of them, and are
    left out.
    """

    def __init__(self) -> None:
        self._count = 0
        self._hosts: dict[str, int] = {}
        self._relations: list[dict[str, JsonValue]] = []

    def add(self, action: str, content: Content) -> str:  # noqa: ARG002  # the engine there decides by itself
        """Return an item, before a service its host's unless that came already."""
        key = ResourceKey.parse(str(content["key"]))
        if content["kind"] not in {"host", "service"}:
            return ""
        written = ""
        if key.host not in self._hosts:
            self._hosts[key.host] = self._count
            shown = printable(key.host, limit=_NAME)
            written += self._item("cmdb_ci_computer", {"name": shown, "ip_address": shown})
        if content["kind"] == "service":
            self._relations.append(
                {"parent": self._count, "child": self._hosts[key.host], "type": "Runs on::Runs"}
            )
            written += self._item("cmdb_ci_appl", _application(key, content["data"]))
        return written

    def end(self) -> str:
        """Return the end of the items, and how they belong together."""
        begin = '{"items": [' if self._count == 0 else ""
        return f'{begin}], "relations": {json.dumps(self._relations)}}}\n'

    def _item(self, class_name: str, values: dict[str, JsonValue]) -> str:
        before = '{"items": [' if self._count == 0 else ", "
        self._count += 1
        return before + json.dumps({"className": class_name, "values": values})


WRITERS: dict[FileFormat, Callable[[], Writer]] = {
    "ndjson": NdjsonWriter,
    "csv": CsvWriter,
    "servicenow": ServiceNowWriter,
}


def _application(key: ResourceKey, data: JsonValue) -> dict[str, JsonValue]:
    reported = data if isinstance(data, dict) else {}
    product = printable(str(reported.get("product") or "service"), limit=100)
    values: dict[str, JsonValue] = {"name": f"{product} on {printable(str(key), limit=_NAME)}"}
    if key.port is not None and key.transport == "tcp":
        values["tcp_port"] = str(key.port)
    if isinstance(version := reported.get("version"), str):
        values["version"] = printable(version, limit=100)
    return values


def _row(cells: Sequence[str]) -> str:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow(cells)
    return file.getvalue()
