"""The record of a campaign: one line for each round, so that any later run continues it.

Lines are appended, never changed; files of several runs or seeds are merged by `cat`. A round is claimed
before it is played: one that was cut off stays in the file as begun, is counted as no fault, and is not
played again in silence.
"""

import fcntl
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

OUTCOMES = ("completed", "failed", "stopped", "expired")


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round."""

    seed: int
    number: int
    made: list[str]
    """Names of the faults that were injected."""
    unmade: dict[str, str]
    """Faults that were planned and did not happen, and why: they prove nothing."""
    outcomes: list[str]
    """One for each session that was disturbed."""
    reasons: list[str]
    """Why sessions did not complete, without figures: whether it is true, people judge."""
    breaches: list[str]
    void: str = ""
    """Why the round proves nothing at all: the campaign itself could not put right what it broke."""


@dataclass(slots=True)
class Record:
    """Rounds played so far; in `path` too, if there is one."""

    path: Path | None = None
    rounds: list[Round] = field(default_factory=list)
    begun: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read what earlier runs left. Raises ValueError with the line's number for one that is no round."""
        record = cls(path)
        if path is not None and path.exists():
            record._take(path.read_text(encoding="utf-8"))
        return record

    def claim(self, seed: int) -> int:
        """Return the seed's first round that nobody has begun, and note that it is begun."""
        with self._locked() as written:
            if written is not None:
                self._take(written)
            number = max((number for of, number in self.begun if of == seed), default=0) + 1
            self._append({"seed": seed, "number": number, "begun": True})
            self.begun.add((seed, number))
        return number

    def add(self, played: Round) -> None:
        """Append a round that was played."""
        with self._locked():
            self._append(asdict(played))
        self.begun.add((played.seed, played.number))
        self.rounds.append(played)

    @property
    def faults(self) -> int:
        """How many were made in rounds that count."""
        return sum(len(each.made) for each in self.rounds if not each.void)

    def _take(self, text: str) -> None:
        self.rounds.clear()
        self.begun.clear()
        played: dict[tuple[int, int], Round] = {}
        for number, line in enumerate(text.splitlines(), 1):
            try:
                fields = json.loads(line)
                key = (int(fields["seed"]), int(fields["number"]))
                if "begun" not in fields:
                    # Merged files may hold a round twice; played again, its latest result counts.
                    played[key] = Round(**fields)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self.path}, line {number} is no round of a campaign: {error}") from error
            self.begun.add(key)
        self.rounds.extend(played.values())

    @contextmanager
    def _locked(self) -> Iterator[str | None]:
        if self.path is None:
            yield None
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file.read()

    def _append(self, fields: object) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(fields)}\n")


def summary(record: Record) -> str:
    """Return what the record proves, in Markdown."""
    counted = [each for each in record.rounds if not each.void]
    sessions = Counter(outcome for each in counted for outcome in each.outcomes)
    seeds = ", ".join(str(seed) for seed in sorted({each.seed for each in record.rounds}))
    broken = sorted({breach for each in counted for breach in each.breaches})
    unfinished = sorted(record.begun - {(each.seed, each.number) for each in record.rounds})
    unmade = Counter(f"{name}: {why}" for each in record.rounds for name, why in each.unmade.items())
    reasons = Counter(reason for each in counted for reason in each.reasons)
    ends = ", ".join(f"{sessions[outcome]} {outcome}" for outcome in OUTCOMES)
    counts = f"{record.faults} faults in {len(counted)} rounds, {sessions.total()} sessions ({ends})"
    lines = [
        f"Seeds {seeds}: {counts}.",
        "",
        table(counted),
        "",
        *(f"{times:4} x {reason}" for reason, times in reasons.most_common()),
        *(f"{times:4} x not injected, not counted: {why}" for why, times in unmade.most_common()),
        *(f"void: seed {each.seed}, round {each.number}: {each.void}" for each in record.rounds if each.void),
        *(f"begun, no result: seed {seed}, round {number}" for seed, number in unfinished),
        "",
        f"breaches: {len(broken)}",
        *(f"  {breach}" for breach in broken),
    ]
    return "\n".join(lines)


def table(rounds: list[Round]) -> str:
    """Return faults and outcomes. A round's faults act together, so its sessions count in each one's row."""
    lines = [
        "| fault | times | sessions completed | failed | stopped | expired | breaches |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted({name for each in rounds for name in each.made}):
        own = [each for each in rounds if name in each.made]
        ends = Counter(outcome for each in own for outcome in each.outcomes)
        figures = " | ".join(str(ends[outcome] or "-") for outcome in OUTCOMES)
        lines.append(
            f"| {name} | {len(own)} | {figures} | {sum(len(each.breaches) for each in own) or '-'} |"
        )
    return "\n".join(lines)
