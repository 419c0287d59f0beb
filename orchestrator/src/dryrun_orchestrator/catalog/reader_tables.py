"""Loads the reader tables beside the manifests: how a foreign scanner's output becomes discoveries."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dryrun_contract.kinds import KINDS
from dryrun_contract.problem import Fault
from dryrun_orchestrator.catalog.operator_file import UnreadableFileError, read_regular_file
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Node, shown
from dryrun_orchestrator.readers.expressions import MAX_EXPRESSION_CHARACTERS, ExpressionError, compiled
from dryrun_orchestrator.readers.table import NMAP_XML, Form, ReaderTable, Row

READERS = "readers"
"""The folder inside the manifests' folder."""
CONTRACT_LINES = "ndjson"
MAX_ROWS = 20
MAX_TABLE_CHARACTERS = 64 * 1024

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FORMS: tuple[Form, ...] = ("json-lines", "json", "csv", "xml")
_KEYS = {
    "reads": True,
    "form": True,
    "record": False,
    "columns": False,
    "separator": False,
    "ignore": False,
    "discoveries": True,
}
_ROW_KEYS = {
    "kind": True,
    "each": False,
    "when": False,
    "host": True,
    "port": False,
    "transport": False,
    "names": False,
    "data": False,
}


def load_reader_tables(folder: Path, faults: list[Fault]) -> Mapping[str, ReaderTable]:
    """Read `*.yml` of the folder, which may be missing; all problems of all files go into `faults`."""
    found: dict[str, ReaderTable] = {}
    for path in sorted(folder.glob("*.yml")):
        report = FaultList(f"{folder.name}/{path.name}")
        if not _NAME.fullmatch(path.stem) or path.stem in (NMAP_XML, CONTRACT_LINES):
            report.add(
                "its name is not a reader's: lower-case letters, digits and '-', the first one a letter; "
                f"{NMAP_XML} and {CONTRACT_LINES} are taken"
            )
        table = _load(path, report)
        if table is not None and not report.faults:
            found[path.stem] = table
        faults.extend(report.faults)
    return MappingProxyType(found)


def _load(path: Path, report: FaultList) -> ReaderTable | None:
    try:
        document = read_yaml(read_regular_file(path), report)
    except UnreadableFileError as error:
        report.add(str(error))
        return None
    if document is None:
        return None
    fields = document.fields(_KEYS)
    form = _form(fields["form"]) if "form" in fields else None
    for key, needed in (("record", ("xml", "json")), ("columns", ("csv",)), ("separator", ("csv",))):
        if key in fields and form not in (None, *needed):
            fields[key].fault(f"has a meaning only where form is {' or '.join(needed)}")
    if form == "xml" and "record" not in fields:
        document.fault("the key 'record' is missing: it names the element that is a record")
    reads = fields["reads"].text(max_length=200) if "reads" in fields else None
    rows = _rows(fields["discoveries"]) if "discoveries" in fields else ()
    if form is None or reads is None:
        return None
    table = ReaderTable(
        name=path.stem,
        reads=reads,
        form=form,
        rows=rows,
        record=_record(fields.get("record"), form),
        columns=_columns(fields["columns"]) if "columns" in fields else (),
        separator=_separator(fields["separator"]) if "separator" in fields else ",",
        ignore=_expression(fields.get("ignore")),
    )
    if len(table.to_json()) > MAX_TABLE_CHARACTERS:
        report.add(f"is longer than {MAX_TABLE_CHARACTERS} characters")
    return table


def _form(node: Node) -> Form | None:
    text = node.text()
    for form in _FORMS:
        if text == form:
            return form
    if text is not None:
        node.fault(f"is {shown(text)}; known are {', '.join(_FORMS)}")
    return None


def _rows(node: Node) -> tuple[Row, ...]:
    rows = [row for item in node.items() if (row := _row(item)) is not None]
    if node.content == [] or len(rows) > MAX_ROWS:
        node.fault(f"has {len(rows)} rows; 1 to {MAX_ROWS} are allowed")
    return tuple(rows)


def _row(node: Node) -> Row | None:
    fields = node.fields(_ROW_KEYS)
    kind = fields["kind"].text() if "kind" in fields else None
    if kind is not None and kind not in KINDS:
        fields["kind"].fault(f"is {shown(kind)}; known kinds are {', '.join(KINDS)}")
    for key in ("transport", "names"):
        if key in fields and "port" not in fields:
            fields[key].fault("needs a port beside it")
    host = _expression(fields.get("host"))
    row = {key: _expression(fields.get(key)) for key in ("when", "port", "transport")}
    each = _expression(fields.get("each"))
    names = [_expression(item) for item in fields["names"].items()] if "names" in fields else []
    data = fields["data"].entries() if "data" in fields else {}
    for attribute, item in data.items():
        if not _ATTRIBUTE.fullmatch(attribute):
            item.fault(f"{shown(attribute)} is not an attribute: lower-case letters, digits and '_'")
    read = {attribute: _expression(item) for attribute, item in data.items()}
    if kind is None or host is None:
        return None
    return Row(
        kind=kind,
        host=host,
        each=each or "@",
        names=tuple(name for name in names if name is not None),
        data={attribute: text for attribute, text in read.items() if text is not None},
        **row,
    )


def _expression(node: Node | None) -> str | None:
    text = node.text(max_length=MAX_EXPRESSION_CHARACTERS) if node is not None else None
    if node is None or text is None:
        return None
    try:
        compiled(text)
    except ExpressionError as error:
        node.fault(f"is not a JMESPath expression: {error}")
        return None
    return text


def _record(node: Node | None, form: Form) -> str | None:
    if node is None or form == "json":
        return _expression(node)
    text = node.text()
    if text is not None and not _ELEMENT.fullmatch(text):
        node.fault("is not a name of an element")
    return text


def _columns(node: Node) -> tuple[str, ...]:
    return tuple(text for item in node.items() if (text := item.text(max_length=80)) is not None)


def _separator(node: Node) -> str:
    text = node.string(max_length=4)
    if text is not None and (len(text) != 1 or text in '"\r\n'):
        node.fault("is not a single character, e.g. ';'")
        return ","
    return text or ","
