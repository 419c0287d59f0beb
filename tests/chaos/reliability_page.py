"""Writes the published campaigns' counts and tables into docs/reliability.md, anew from their rounds.

.venv/bin/python tests/chaos/reliability_page.py
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from record import Key, Record, counts, table, unfinished

ROUNDS = Path(__file__).parent / "rounds"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
CAMPAIGNS = ("one-host", "fleet")
"""Each a file of rounds, and a part of the page between two comments."""

_PART = re.compile(r"(<!-- rounds of ([a-z-]+) -->\n).*?(<!-- end of rounds -->)", re.DOTALL)


def rounds_of(campaign: str) -> Path:
    """Return the file of a published campaign."""
    return ROUNDS / f"{campaign}.ndjson"


def renewed(page: str) -> str:
    """Return the page with what the rounds' files prove now; KeyError unless it has a part for each."""
    missing = set(CAMPAIGNS) - {found[2] for found in _PART.finditer(page)}
    if missing:
        raise KeyError(f"the page has no part for {', '.join(sorted(missing))}")
    return _PART.sub(lambda part: f"{part[1]}\n{proof(Record.read(rounds_of(part[2])))}\n\n{part[3]}", page)


def proof(record: Record) -> str:
    """Return what a record proves, in Markdown."""
    said = (
        f"{counts(record)} {_bound(record)}",
        table(record.counted),
        *_not_counted(record),
        *_again(record),
    )
    return "\n\n".join(said)


def _bound(record: Record) -> str:
    """Return the upper bound at 95 %: where nothing was seen in n trials, 3/n (the rule of three)."""
    broken = [each.key for each in record.counted if each.breaches]
    if broken:
        return f"**Rounds with a breach**: {_named(broken)}."
    if not record.faults:
        return "Nothing is proved yet."
    return (
        "**No breach stands.** Where none is seen in that many faults, fewer than one in "
        f"{record.faults // 3} such faults breaks a promise, with 95 % confidence; of rounds, whose faults "
        f"act together, fewer than one in {len(record.counted) // 3}."
    )


def _not_counted(record: Record) -> Iterable[str]:
    unmade = Counter(name for each in record.rounds for name in each.unmade)
    lines = []
    if unmade:
        names = ", ".join(f"{name} ({times})" for name, times in sorted(unmade.items()))
        lines.append(f"- Faults that did not happen: {names}.")
    if void := [each.key for each in record.rounds if each.void]:
        lines.append(f"- Rounds that the campaign itself could not put right: {_named(void)}.")
    if cut_off := unfinished(record):
        lines.append(f"- Rounds that were cut off: {_named(cut_off)}.")
    if lines:
        yield "Not counted:"
        yield "\n".join(lines)


def _again(record: Record) -> Iterable[str]:
    if record.mended:
        yield (
            f"Rounds with a breach that were played again, without one: {_named(record.mended)}. "
            "What was seen and mended is not in the bound."
        )


def _named(keys: Iterable[Key]) -> str:
    return "; ".join(f"seed {seed}, round {number}" for seed, number in sorted(keys))


def main() -> None:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
