"""How scoring grows with facts and findings, with the worst that a session's events may hold."""

import time
from collections.abc import Callable

from pydantic import JsonValue

from approval_api.scoring.merging import Finding
from approval_api.scoring.score import score, score_each_alone
from bench.results import Growth, PartResult
from bench.turns import Setting
from dryrun_contract.discovery import Discovery
from dryrun_contract.ground_truth import Fact

ABOUT = """\
Both scorings of a report (all collectors together, and each alone) of as many findings as there are facts,
also in the shapes that cost most. n log n has slope 1.1 between 1,000 and 100,000."""
SIZES = (250, 1_000, 10_000)
LARGEST = 100_000
_ENOUGH_SECONDS = 3.0
"""A shape that took so long is not scored at the next size: tenfold work may take a hundredfold time."""
ADDRESSES = {"10.213.0.3": "db"}
KEY_CHARACTERS = 1000


def finding(key: str, *, kind: str = "table", collector: str = "network", **data: JsonValue) -> Finding:
    """Return what a collector said, whatever the contract thinks of the key."""
    said = Discovery.model_construct(kind=kind, key=f"10.213.0.3:80/tcp{key}", data=data, confidence=0.5)
    return Finding(collector, said)


def fact(key: str, kind: str = "table") -> Fact:
    """Return a fact with two scored values."""
    return Fact(kind=kind, key=f"db:80/tcp{key}", data={"columns": ["id", "name"]})


def deep(number: int, first: str = "") -> str:
    """Return a path of almost 500 names that begins as all others do, or differs from the start."""
    end = f"/{number}"
    return f"{first}{'/a' * ((KEY_CHARACTERS - 40) // 2)}{end}"


def plain(size: int) -> tuple[list[Fact], list[Finding]]:
    """Everything is found."""
    return [fact(f"/s/{n}") for n in range(size)], [finding(f"/s/{n}", columns="id") for n in range(size)]


def deep_and_alike(size: int) -> tuple[list[Fact], list[Finding]]:
    """Keys of 1,000 characters that differ in their last names; half of the facts are missed."""
    facts = [fact(deep(n)) for n in range(size)]
    return facts, [finding(deep(n)) for n in range(size // 2, size + size // 2)]


def deep_and_apart(size: int) -> tuple[list[Fact], list[Finding]]:
    """Keys of 1,000 characters that differ in their first names; nothing is found."""
    return [fact(deep(0, f"/f{n}")) for n in range(size)], [finding(deep(0, f"/x{n}")) for n in range(size)]


def one_thing(size: int) -> tuple[list[Fact], list[Finding]]:
    """Every finding is about one thing, each with another value."""
    return [fact(f"/s/{n}") for n in range(size)], [finding("/s/1", columns=str(n)) for n in range(size)]


def refusals(size: int) -> tuple[list[Fact], list[Finding]]:
    """Every database refuses, and hides one fact."""
    facts = [fact(f"/{n}/t") for n in range(size)]
    return facts, [finding(f"/{n}", kind="database", access="refused") for n in range(size)]


def kinds(size: int) -> tuple[list[Fact], list[Finding]]:
    """Every finding is of a kind of its own."""
    return [fact(f"/s/{n}") for n in range(size)], [finding("", kind=f"kind_{n}") for n in range(size)]


def collectors(size: int) -> tuple[list[Fact], list[Finding]]:
    """Every finding is of a collector of its own, and of a kind that has facts."""
    return [fact(f"/s/{n}") for n in range(size)], [
        finding(f"/s/{n}", collector=f"c{n}") for n in range(size)
    ]


SHAPES: tuple[Callable[[int], tuple[list[Fact], list[Finding]]], ...] = (
    plain,
    deep_and_alike,
    deep_and_apart,
    one_thing,
    refusals,
    kinds,
    collectors,
)


def seconds(size: int, shape: Callable[[int], tuple[list[Fact], list[Finding]]]) -> float:
    """Return the processor time that both scorings of a report take."""
    facts, findings = shape(size)
    begin = time.process_time()
    score(facts, findings, ADDRESSES)
    score_each_alone(facts, findings, ADDRESSES)
    return time.process_time() - begin


async def measure(setting: Setting) -> PartResult:
    """Score each shape at each size."""
    sizes = (*SIZES, LARGEST) if setting.long else SIZES
    growths = []
    for shape in SHAPES:
        setting.say(shape.__name__.replace("_", " "))
        points: list[tuple[float, float]] = []
        for size in sizes:
            points.append((float(size), seconds(size, shape)))
            if points[-1][1] > _ENOUGH_SECONDS and len(points) > 1:
                break
        name = (shape.__doc__ or "").strip().rstrip(".")
        work, cost = "facts, and as many findings", "seconds of a processor"
        growths.append(Growth(name=name, work=work, cost=cost, points=points))
    return PartResult(part="scoring", title="Scoring", about=ABOUT, growths=growths)
