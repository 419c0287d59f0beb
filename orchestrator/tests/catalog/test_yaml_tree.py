from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import MAX_FAULTS, FaultList


def read(text):
    report = FaultList("templates/a.yml")
    return read_yaml(text.encode(), report), report


def test_a_place_reads_as_a_person_would_write_it():
    node, _ = read("services:\n  db:\n    x-ground-truth:\n      - kind: host\n")
    kind = node.entries()["services"].entries()["db"].entries()["x-ground-truth"].items()[0].entries()["kind"]
    assert kind.path == "services.db.x-ground-truth[0].kind"
    kind.fault("is wrong")
    assert kind.report.faults[0].where == "templates/a.yml:4: services.db.x-ground-truth[0].kind"


def test_faults_come_in_the_order_of_their_lines():
    node, report = read("a: x\nb: y\n")
    node.entries()["b"].fault("second")
    node.entries()["a"].fault("first")
    report.add("of the file")
    assert [fault.what for fault in report.faults] == ["of the file", "first", "second"]


def test_a_flood_of_faults_is_counted_and_not_listed():
    report = FaultList("a.yml")
    for line in range(1, MAX_FAULTS + 8):
        report.add("x", line=line)
    assert len(report.faults) == MAX_FAULTS + 1
    assert report.faults[-1].what == "has 7 more problems, which are not listed"


def test_fields_reports_every_unknown_and_every_missing_key():
    node, report = read("a: x\nb: y\nc: z\n")
    assert list(node.fields({"a": True, "d": True, "e": False}, {"b": "because"})) == ["a"]
    assert [fault.what for fault in report.faults] == [
        "the key 'd' is missing",
        "the key 'b' is outside the subset: because",
        "the key 'c' is outside the subset: known here are a, d, e",
    ]


def test_another_shape_is_one_fault_and_reads_as_empty():
    node, report = read("a: x\nb: [y]\nc: {d: e}\n")
    entries = node.entries()
    assert entries["a"].items() == []
    assert entries["b"].fields({"needed": True}) == {}
    assert entries["c"].text() is None
    assert [fault.what for fault in report.faults] == [
        "is a text; expected a list",
        "is a list; expected a map",
        "is a map; expected a text",
    ]


def test_a_text_is_stripped_bounded_and_not_empty_while_a_string_is_what_it_is():
    node, report = read('a: " x "\nb: "  "\nc: xyz\n')
    entries = node.entries()
    assert entries["a"].text() == "x"
    assert entries["a"].string(max_length=3) == " x "
    assert entries["b"].string(max_length=3) == "  "
    assert entries["b"].text() is None
    assert entries["c"].text(max_length=2) is None
    assert [fault.what for fault in report.faults] == ["is empty", "has 3 characters; at most 2 are allowed"]


def test_a_number_has_bounds():
    node, report = read("a: 5\nb: 6\nc: true\n")
    entries = node.entries()
    assert entries["a"].integer(least=1, most=5) == 5
    assert entries["b"].integer(least=1, most=5) is None
    assert entries["c"].integer(least=0, most=5) is None
    assert [fault.what for fault in report.faults] == [
        "is 6; it can be 1 to 5",
        "is yes or no; expected a whole number",
    ]
