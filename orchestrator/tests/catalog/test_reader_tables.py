import pytest

from dryrun_orchestrator.catalog.reader_tables import load_reader_tables
from dryrun_orchestrator.readers.table import ReaderTable, Row

TABLE = """\
reads: theirs 1.0 --json
form: json-lines
ignore: failed
discoveries:
  - {kind: host, host: ip}
  - kind: service
    each: ports[]
    when: open
    host: ip
    port: number
    transport: protocol
    names: [share]
    data: {product: "part(banner, '/', `0`)"}
"""


@pytest.fixture
def load(tmp_path):
    def load_file(text, name="theirs"):
        folder = tmp_path / "readers"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yml").write_text(text)
        faults = []
        return load_reader_tables(folder, faults), [f"{fault.where}: {fault.what}" for fault in faults]

    return load_file


def test_a_table_is_read_as_it_is_written_and_survives_the_way_to_its_process(load):
    tables, faults = load(TABLE)
    assert faults == []
    table = tables["theirs"]
    assert table == ReaderTable(
        name="theirs",
        reads="theirs 1.0 --json",
        form="json-lines",
        ignore="failed",
        rows=(
            Row(kind="host", host="ip"),
            Row(
                kind="service",
                host="ip",
                each="ports[]",
                when="open",
                port="number",
                transport="protocol",
                names=("share",),
                data={"product": "part(banner, '/', `0`)"},
            ),
        ),
    )
    assert ReaderTable.from_json(table.to_json()) == table


def test_a_folder_that_is_not_there_has_no_tables(tmp_path):
    faults = []
    assert not load_reader_tables(tmp_path / "none", faults)
    assert faults == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("form: json-lines", "form: yaml", ":2: form: is 'yaml'; known are json-lines, json, csv, xml"),
        ("form: json-lines", "form: xml", ":1: the key 'record' is missing"),
        ("form: json-lines", "form: xml\nrecord: a b", ":3: record: is not a name of an element"),
        ("form: json-lines", "form: json\nrecord: a b", ":3: record: is not a JMESPath expression"),
        (
            "form: json-lines",
            "form: json-lines\nrecord: a",
            ":3: record: has a meaning only",
        ),
        ("form: json-lines", "form: csv\nseparator: ab", ":3: separator: is not a single character"),
        ("form: json-lines", "form: json\ncolumns: [a]", ":3: columns: has a meaning only where form is csv"),
        ("kind: host", "kind: hots", ":5: discoveries[0].kind: is 'hots'; known kinds are host"),
        ("host: ip}", "host: 'ip['}", ":5: discoveries[0].host: is not a JMESPath expression"),
        ("host: ip}", "host: nothing(ip)}", ":5: discoveries[0].host: is not a JMESPath expression: Unknown"),
        ("host: ip}", "transport: x, host: ip}", ":5: discoveries[0].transport: needs a port beside it"),
        ("host: ip}", "hosts: ip}", ":5: discoveries[0].hosts: the key 'hosts' is outside the subset"),
        (
            "host: ip}",
            f"host: {'a' * 501}}}",
            ":5: discoveries[0].host: has 501 characters",
        ),
        ("{product:", "{Product:", ":13: discoveries[1].data.Product: 'Product' is not an attribute"),
        ("ignore: failed", "ignore: 5", ":3: ignore: is a number; expected a text"),
        ("reads:", "read:", ":1: read: the key 'read' is outside the subset"),
    ],
)
def test_a_table_with_a_fault_is_reported_with_its_place(load, old, new, fault):
    assert old in TABLE
    tables, faults = load(TABLE.replace(old, new, 1))
    assert "theirs" not in tables
    assert any(each.startswith(f"readers/theirs.yml{fault}") for each in faults), faults


def test_too_many_rows_and_none_are_faults(load):
    rows = "\n".join("  - {kind: host, host: ip}" for _ in range(21))
    for text in (f"reads: x\nform: json\ndiscoveries:\n{rows}\n", "reads: x\nform: json\ndiscoveries: []\n"):
        assert "1 to 20 are allowed" in load(text)[1][0]


@pytest.mark.parametrize("name", ["ndjson", "nmap-xml", "Theirs", "1"])
def test_a_name_that_is_taken_or_none_is_a_fault(load, name):
    tables, (fault,) = load(TABLE, name)
    assert not tables
    assert "its name is not a reader's" in fault
