import io
import json

from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.database.personal_data import classify
from discovery_collectors.collectors.database.service_report import (
    DatabaseService,
    ForeignKey,
    ServiceReport,
    Table,
)
from discovery_collectors.running.lines import LineWriter
from discovery_collectors.running.scope import Scope
from dryrun_contract.discovery import COLLECTOR_LINE
from dryrun_contract.resource_key import ResourceKey

SERVICE = DatabaseService(Scope.parse(["10.0.0.3"]).admit("10.0.0.3"), 5432, "postgresql", certain=True)
# Surrogates too: a server's bytes may decode to them.
names = st.text(st.characters(codec=None), min_size=1, max_size=80)


def written(tell) -> list[dict]:
    out = io.BytesIO()
    tell(ServiceReport(SERVICE, LineWriter(out)))
    return [
        json.loads(COLLECTOR_LINE.validate_json(line).model_dump_json())
        for line in out.getvalue().splitlines()
    ]


@given(
    path=st.lists(names, min_size=2, max_size=3),
    columns=st.lists(names, max_size=5),
    rows=st.integers(-1, 10**12),
)
def test_any_names_make_a_line_of_the_contract(path, columns, rows):
    types = dict.fromkeys(columns, "text")
    table = Table(path[-2], path[-1], columns, types, rows)
    reported = written(lambda report: report.table(path, table))
    assert [line["type"] for line in reported] == ["discovery"]
    assert reported[0]["data"]["rows"] == ("unknown" if rows < 0 else rows)
    assert len(reported[0]["data"]["columns"]) == len(columns)
    assert len(ResourceKey.parse(reported[0]["key"]).path) == len(path)


def test_a_table_of_endless_columns_still_fits_a_line():
    columns = [f"{number}-{'ü' * 300}" for number in range(5000)]
    reported = written(lambda report: report.table(("a", "b"), Table("a", "b", columns)))
    assert reported[0]["type"] == "discovery"
    assert reported[0]["data"]["columns_total"] == 5000
    assert 0 < len(reported[0]["data"]["columns"]) < 1000


def test_types_go_before_names_do():
    columns = [f"column_with_a_rather_long_name_{number}" for number in range(900)]
    types = dict.fromkeys(columns, "character varying(255)")
    reported = written(lambda report: report.table(("a", "b"), Table("a", "b", columns, types, 1, view=True)))
    assert reported[0]["data"] == {
        "rows": 1,
        "view": True,
        "columns": columns,
        "left_out": ["column_types"],
    }


def test_foreign_keys_that_are_not_reported_are_counted():
    table = Table("a", "b", ["id"], foreign_keys=[ForeignKey(("id",), ("a", "c"), ("id",))] * 150)
    data = written(lambda report: report.table(("a", "b"), table))[0]["data"]
    assert (len(data["foreign_keys"]), data["foreign_keys_total"]) == (100, 150)
    assert "columns_total" not in data
    assert "more" not in data


def test_columns_that_nobody_counted_are_said_to_be_more():
    table = Table("a", "b", ["id"], more_columns=True)
    assert written(lambda report: report.table(("a", "b"), table))[0]["data"]["more"] is True


def test_a_name_that_is_cut_is_said():
    warning, reported = written(lambda report: report.database("x" * 300))
    assert reported["key"] == f"10.0.0.3:5432/tcp/{'x' * 200}"
    assert "is reported by the first 200 characters of its name" in warning["message"]


def test_reports_size_keys_and_personal_data():
    table = Table("public", "orders", ["id", "customer_id", "email"], rows=3, bytes=8192)
    table.foreign_keys.append(ForeignKey(("customer_id",), ("public", "customers"), ("id",)))
    table.personal = classify(table.columns, {"email": "email"})
    reported = written(lambda report: report.table(("shop", "public", "orders"), table))
    assert reported[0]["data"] == {
        "rows": 3,
        "view": False,
        "bytes": 8192,
        "columns": ["id", "customer_id", "email"],
        "foreign_keys": [
            {
                "columns": ["customer_id"],
                "references": ["public", "customers"],
                "referenced_columns": ["id"],
            }
        ],
        "personal": {"email": {"class": "email", "by": "name and sample"}},
    }


def test_the_unknown_is_not_reported():
    reported = written(lambda report: report.granted("nx-27017", "", {"compatible_with": "MongoDB 7.0.0"}))
    assert reported[0]["data"] == {
        "engine": "postgresql",
        "product": "nx-27017",
        "access": "granted",
        "compatible_with": "MongoDB 7.0.0",
    }
