"""Writes the list of vectors for the threat model of the guard: run it to renew the page."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from vectors import BY_CLASS
from vectors.row import Vector
from vectors.rules import STOPPED_BY

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "threat-model-guard.md"
BEGIN: Final = "<!-- vectors: written by tests/attack/threat_table.py -->"
END: Final = "<!-- end of vectors -->"


def table() -> str:
    """Return the vectors by class, and in each class by the rule that stops them."""
    number = sum(map(len, BY_CLASS.values()))
    blocks = [f"{number} vectors in {len(BY_CLASS)} classes."]
    for name, vectors in BY_CLASS.items():
        blocks.append(f"### {name}: {len(vectors)}")
        by_rule: dict[str, list[Vector]] = defaultdict(list)
        for vector in vectors:
            by_rule[vector.rule].append(vector)
        rows = ["| rule (its name in the audit log) | attacks |", "|---|---|"]
        for rule, stopped in by_rule.items():
            names = ", ".join(f"`{each}`" for each in sorted(STOPPED_BY[rule]))
            rows.append(f"| {rule} ({names}) | {'; '.join(_cell(vector) for vector in stopped)} |")
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks)


def page_with_table(page: str) -> str:
    """Return the page with the list between its marks renewed."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _cell(vector: Vector) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in vector.what)
    for mark in ("\\", "|", "<", "*", "_", "`"):
        plain = plain.replace(mark, f"\\{mark}")
    return f"{plain} (`{vector.id}`)"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text()))
