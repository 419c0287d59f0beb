"""Whatever keeps only the first of a list says so, or has a reason here why nobody misses the rest."""

import ast
from collections.abc import Iterator
from pathlib import Path

import discovery_collectors

SOURCE = Path(discovery_collectors.__file__).parent
LENGTHS = ("_CHARACTERS", "_BYTES")
"""Ends of the names of what cuts a text: what is left of it is a value all the same."""

SAID = {
    ("collectors/database/mongodb.py", "MAX_COLUMNS"): "the table says `more`",
    ("collectors/database/mysql_catalog.py", "MAX_TABLES"): "a warning",
    ("collectors/database/mysql_catalog.py", "_ROWS"): "a warning, and the table says `more`",
    ("collectors/database/postgresql_catalog.py", "MAX_TABLES"): "a warning",
    ("collectors/directory/ldap_root.py", "_VALUES"): "one more than is reported; whoever reports says so",
    ("collectors/network/nmap_xml.py", "_CPES"): "nmap writes three at most: hardware, system, application",
    ("collectors/network/second_opinion/http_answer.py", "_HEADERS"): "no list that is reported",
    ("collectors/web/client.py", "_HEADERS"): "no list that is reported",
    ("collectors/web/collector.py", "_ROBOTS_LINES"): "the site says `more`",
    ("protocols/certificates.py", "_NAMES"): "`names_total`",
}
"""Module, bound → how the scan says what is left out."""


def cuts() -> Iterator[tuple[str, str]]:
    """Yield module and bound of each slice that ends at a constant."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Slice) and node.upper is not None:
                for name in ast.walk(node.upper):
                    if isinstance(name, ast.Name) and name.id.isupper() and not name.id.endswith(LENGTHS):
                        yield str(path.relative_to(SOURCE)), name.id


def test_every_list_that_is_cut_says_so_or_is_missed_by_nobody():
    assert set(cuts()) == set(SAID)
