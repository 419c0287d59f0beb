"""Files: complete, inert in a spreadsheet, and as ServiceNow's identification reads them."""

import csv
import io
import json

import pytest

from approval_api.deliveries.files import CsvWriter, NdjsonWriter, ServiceNowWriter


def content(kind, key, **data):
    return {
        "id": 1,
        "revision": 2,
        "collector": "network",
        "kind": kind,
        "key": key,
        "data": data,
        "confidence": 0.9,
        "found_at": "2026-01-31T09:30:00+00:00",
        "approved_by": "ada",
        "approved_at": "2026-01-31T10:00:00+00:00",
    }


def written(writer, *contents):
    return "".join(writer.add("create", each) for each in contents) + writer.end()


HOST = content("host", "192.0.2.1")
SSH = content("service", "192.0.2.1:22/tcp", product="OpenSSH", version="9.2")


def test_ndjson_has_one_object_a_line():
    lines = [json.loads(line) for line in written(NdjsonWriter(), HOST, SSH).splitlines()]
    assert [line["discovery"]["key"] for line in lines] == ["192.0.2.1", "192.0.2.1:22/tcp"]
    assert lines[1] == {"action": "create", "discovery": SSH}


def test_csv_has_a_head_and_no_formula():
    hostile = content("service", "192.0.2.1:22/tcp", product='=HYPERLINK("http://evil")')
    hostile["collector"] = "=1+1"
    rows = list(csv.DictReader(io.StringIO(written(CsvWriter(), HOST, hostile))))
    assert [row["key"] for row in rows] == ["192.0.2.1", "192.0.2.1:22/tcp"]
    assert rows[1]["collector"] == "'=1+1"
    assert json.loads(rows[1]["data"]) == hostile["data"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert next(csv.reader(io.StringIO(written(CsvWriter()))))[:3] == ["action", "kind", "key"]


def test_servicenow_gets_hosts_and_what_runs_on_them():
    other = content("service", "192.0.2.9:80/tcp", product="nginx")
    table = content("table", "192.0.2.1:5432/tcp/shop/orders")
    payload = json.loads(written(ServiceNowWriter(), HOST, SSH, table, other))
    assert payload == {
        "items": [
            {"className": "cmdb_ci_computer", "values": {"name": "192.0.2.1", "ip_address": "192.0.2.1"}},
            {
                "className": "cmdb_ci_appl",
                "values": {"name": "OpenSSH on 192.0.2.1:22/tcp", "tcp_port": "22", "version": "9.2"},
            },
            {"className": "cmdb_ci_computer", "values": {"name": "192.0.2.9", "ip_address": "192.0.2.9"}},
            {"className": "cmdb_ci_appl", "values": {"name": "nginx on 192.0.2.9:80/tcp", "tcp_port": "80"}},
        ],
        "relations": [
            {"parent": 1, "child": 0, "type": "Runs on::Runs"},
            {"parent": 3, "child": 2, "type": "Runs on::Runs"},
        ],
    }
    assert json.loads(written(ServiceNowWriter())) == {"items": [], "relations": []}


STEERING = "\u202egpj.exe \u2066 \u200f \x85 \x7f \U000e0001"


@pytest.mark.parametrize("writer", [NdjsonWriter, CsvWriter, ServiceNowWriter])
def test_no_file_has_a_character_that_steers(writer):
    service = content("service", f"web\u202e:22/tcp/{STEERING}", product=STEERING, **{STEERING: STEERING})
    text = written(writer(), content("host", "web\u202e"), service)
    assert all(line.isprintable() for line in text.splitlines())
    if writer is CsvWriter:
        (_, row) = csv.DictReader(io.StringIO(text))
        assert json.loads(row["data"]) == service["data"], "a parser reads what was found"


@pytest.mark.parametrize("product", [None, 7, ["x"], {"a": 1}, "\x1b[31m\u202e"])
def test_servicenow_takes_whatever_a_collector_reported(product):
    service = content("service", "192.0.2.1:22/tcp", product=product, version=product)
    name = json.loads(written(ServiceNowWriter(), service))["items"][1]["values"]["name"]
    assert name.isprintable()
