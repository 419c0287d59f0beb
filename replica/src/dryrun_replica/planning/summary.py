"""The words and the picture of a plan: what terminals, templates' cards and files say of its coverage."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from dryrun_contract.template import Levels
from dryrun_contract.text import counted
from dryrun_replica.levels import LEVELS, Level
from dryrun_replica.planning.coverage import Coverage
from dryrun_replica.planning.plan import Plan

TITLES: Final[Mapping[Level, str]] = {
    Level.SAME_VERSION: "same product and version",
    Level.SAME_PRODUCT: "same product, another version",
    Level.RELATIVE: "a relative: another product of the protocol",
    Level.BANNER: "a banner or an open port, no software",
    Level.NOTHING: "nothing",
}
_FORMATS: Final[Mapping[str, str]] = {
    "nmap-xml": "a scan by nmap",
    "masscan-xml": "a scan by masscan",
    "netbox": "an export of NetBox",
    "csv": "a table",
    "compose": "a Compose file",
    "diode": "entities of Diode",
    "discoveries": "discoveries of production",
    "report": "the report of a rehearsal",
    "naabu": "a scan by naabu",
    "httpx": "a scan by httpx",
    "zgrab2": "a scan by zgrab2",
    "masscan-json": "a scan by masscan",
    "port-list": "a list of open ports",
}
MAX_NAMED = 4
"""Products that the sentence on coverage names."""


def levels_of(coverage: Coverage) -> Levels:
    """Return the figures as templates and reports carry them."""
    levels = {level.value: coverage.levels[level] for level in LEVELS}
    return Levels.model_validate({**levels, "open_ports": coverage.open_ports})


def sentence_on_versions(coverage: Coverage) -> str:
    """Return what a plan cannot say before it is known which versions exist here."""
    same, other = coverage.levels[Level.SAME_VERSION], coverage.levels[Level.SAME_PRODUCT]
    stands = "stands" if 1 in {same, coverage.services} else "stand"
    return (
        f"With the versions that exist here, {same} of {counted(coverage.services, 'service')} {stands} on "
        f"the same version, {other} on another version of the product"
    )


def sentence(coverage: Coverage) -> str:
    """Return the coverage in a sentence, with the names of products that nothing stands for."""
    named = uncovered(coverage)
    return levels_of(coverage).sentence + (f": {', '.join(named)}" if named else "")


def uncovered(coverage: Coverage) -> list[str]:
    """Return the products that nothing stands for, the most frequent first; at most MAX_NAMED and a count.

    With its port where something stands for the product on another one.
    """
    stands = {row.label for row in coverage.rows if row.level is not Level.NOTHING}
    labels = dict.fromkeys(
        f"{row.label} on {row.places[0]}" if row.label in stands and row.places else row.label
        for row in coverage.rows
        if row.level is Level.NOTHING
    )
    named = list(labels)[:MAX_NAMED]
    rest = len(labels) - len(named)
    return [*named, f"{rest} more"] if rest else named


def bar(coverage: Coverage, width: int) -> list[tuple[Level, int]]:
    """Return how many of `width` cells each level takes: in proportion, and one at least for what is there.

    >>> bar(Coverage(services=100, levels={Level.SAME_VERSION: 99, Level.NOTHING: 1}, rows=()), 10)
    [(<Level.SAME_VERSION: 'same_version'>, 9), (<Level.NOTHING: 'nothing'>, 1)]
    """
    there = [(level, coverage.levels.get(level, 0)) for level in LEVELS if coverage.levels.get(level)]
    if not there:
        return []
    cells = {level: max(1, width * count // coverage.services) for level, count in there}
    # What rounding leaves is the largest one's, and so is what the smallest ones take beyond their share.
    while sum(cells.values()) != width:
        largest = max(cells, key=lambda level: (cells[level], coverage.levels[level]))
        cells[largest] += 1 if sum(cells.values()) < width else -1
    return list(cells.items())


def made_from(plan: Plan) -> str:
    """Return what a replica was made from, e.g. `a scan by nmap and 3 files of NetBox`."""
    counts = Counter(source.format for source in plan.sources)
    words = [
        _FORMATS.get(name, name) if count == 1 else f"{_FORMATS.get(name, name)} in {count} files"
        for name, count in counts.items()
    ]
    return " and ".join(words)
