"""A reader as data: how an output falls into records, and which discoveries follow from each."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, Self

type Form = Literal["json-lines", "json", "csv", "xml"]

NMAP_XML = "nmap-xml"
"""The one format that is read by code: the XML of nmap and masscan."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of discovery; all texts but `kind` are JMESPath expressions over a record."""

    kind: str
    host: str
    each: str = "@"
    """The part of the record to look at: one value or several."""
    when: str | None = None
    """No discovery where this is false or null."""
    port: str | None = None
    """A number, or a text such as `443` or `443/tcp`, or a list of them; null for no discovery."""
    transport: str | None = None
    """`tcp` where it is null."""
    names: tuple[str, ...] = ()
    """What follows the transport in the key, e.g. the name of a share."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Attribute → expression; null leaves it out."""


@dataclass(frozen=True, slots=True)
class ReaderTable:
    """One file `readers/NAME.yml`."""

    name: str
    reads: str
    """The program, version and options whose output this is."""
    form: Form
    rows: tuple[Row, ...]
    record: str | None = None
    """XML: the name of the element that is a record. JSON: an expression for a document's records."""
    columns: tuple[str, ...] = ()
    """CSV only: the columns' names, for a table without a header."""
    separator: str = ","
    """CSV only."""
    ignore: str | None = None
    """A record for which this holds says by design that nothing was found; without it, that is a warning."""

    def to_json(self) -> str:
        """Return the table for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the table that `to_json` wrote."""
        fields = json.loads(text)
        rows = tuple(Row(**{**row, "names": tuple(row["names"])}) for row in fields.pop("rows"))
        return cls(**{**fields, "columns": tuple(fields["columns"]), "rows": rows})
