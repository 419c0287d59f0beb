"""Reads nmap's table of services (`nmap-service-probes`) where this machine has it; none of it is kept here.

The format: https://nmap.org/book/vscan-fileformat.html
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PLACES = (Path("/usr/share/nmap/nmap-service-probes"), Path("/usr/local/share/nmap/nmap-service-probes"))
MAX_TABLE_BYTES = 16 * 1024**2
_PROBE = re.compile(r"Probe (TCP|UDP) (\S+) q(.)(.*)")
_MATCH = re.compile(r"(match|softmatch) (\S+) m(.)(.*)")
_FIELD = re.compile(r"\s*(p|v|i|h|o|d)(\W)(.*?)\2")
REFERENCE = re.compile(r"\$([0-9])")
"""What stands in a name or version for a group of the expression."""
_REPEATED_TWICE = re.compile(rb"(?<!\\)(\((?:\?:)?(?:\[[^]\[]+\]|\\\w|\.)[+*]\))\+(?![+?])")
"""A class that is repeated, twice: a text that does not match is tried in every division of it, 2 to the
power of its length. Repeated once, it matches the same."""
_SENT_BY_DEFAULT = 7
"""nmap's default intensity: probes of a higher rarity are not sent to an unusual port."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What nmap sends; empty for the greeting that it waits for."""

    transport: str
    name: str
    data: bytes
    rarity: int


@dataclass(frozen=True)
class Pattern:
    """One line that names a product by an answer."""

    probe: Probe
    service: str
    expression: bytes
    flags: str
    product: str | None
    version: str | None
    """With `$1` for the first group of the expression."""

    @cached_property
    def compiled(self) -> re.Pattern[bytes] | None:
        """The expression; None where Python's dialect does not know it."""
        flags = (re.IGNORECASE if "i" in self.flags else 0) | (re.DOTALL if "s" in self.flags else 0)
        try:
            return re.compile(_REPEATED_TWICE.sub(rb"\1", self.expression), flags)
        except (re.PatternError, OverflowError, RecursionError):
            return None

    def version_in(self, found: re.Match[bytes]) -> str | None:
        """Return the version that a match of the expression states; None too where nmap would compute it."""
        if self.version is None or any(each in self.version for each in ("$P(", "$SUBST(", "$I(")):
            return None
        stated = REFERENCE.sub(
            lambda reference: (found[int(reference[1])] or b"").decode("latin-1"), self.version
        )
        return stated.strip() or None


def read_table(path: Path) -> list[Pattern]:
    """Return the table's lines in order. Raises OSError; a line that is not understood is left out."""
    with path.open("rb") as file:
        text = file.read(MAX_TABLE_BYTES).decode("latin-1")
    rarities = list(_rarities(text))
    found: list[Pattern] = []
    probe: Probe | None = None
    for line in text.splitlines():
        begun = _PROBE.match(line)
        if begun is not None:
            data, _, _ = begun[4].partition(begun[3])
            sent = codecs.decode(data.encode("latin-1"), "unicode_escape").encode("latin-1", "replace")
            probe = Probe(begun[1].lower(), begun[2], sent, rarities.pop(0))
        elif probe is not None and probe.rarity <= _SENT_BY_DEFAULT:
            pattern = _pattern(line, probe)
            if pattern is not None:
                found.append(pattern)
    return found


@dataclass(frozen=True, slots=True)
class TableNames:
    """Names that nmap's tables hold literally, in lower case: not what it takes from answers."""

    products: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


def read_names(probes: Path) -> TableNames:
    """Return the names in a table of probes and in `nmap-services` beside it. Raises OSError."""
    products: set[str] = set()
    services: set[str] = set()
    with probes.open("rb") as file:
        text = file.read(MAX_TABLE_BYTES).decode("latin-1")
    for line in text.splitlines():
        found = _MATCH.match(line)
        if found is not None:
            services.add(found[2].casefold())
            products.update(_literal_products(found))
    path = probes.with_name("nmap-services")
    if path.is_file():
        with path.open("rb") as file:
            listed = file.read(MAX_TABLE_BYTES).decode("latin-1")
        services.update(line.split()[0].casefold() for line in listed.splitlines() if line[:1].isalnum())
    return TableNames(frozenset(products), frozenset(services))


def _literal_products(line: re.Match[str]) -> Iterator[str]:
    rest = line[4].partition(line[3])[2].lstrip("is")
    for each in _FIELD.finditer(rest.partition(" cpe:")[0]):
        if each[1] == "p" and "$" not in each[3]:
            yield each[3].casefold()


def _rarities(text: str) -> Iterator[int]:
    for part in re.split(r"(?m)^Probe ", text)[1:]:
        found = re.search(r"(?m)^rarity (\d)", part)
        yield int(found[1]) if found else 1


def _pattern(line: str, probe: Probe) -> Pattern | None:
    found = _MATCH.match(line)
    if found is None:
        return None
    expression, _, rest = found[4].partition(found[3])
    flags = re.match(r"[is]*", rest)
    assert flags is not None
    fields = {each[1]: each[3] for each in _FIELD.finditer(rest[flags.end() :].partition(" cpe:")[0])}
    return Pattern(probe, found[2], expression.encode("latin-1"), flags[0], fields.get("p"), fields.get("v"))
