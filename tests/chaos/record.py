"""The record of a campaign: one line for each round, so that any later run continues it.

Lines are appended, never changed; files of several runs or seeds are merged by `cat`. A round is claimed
before it is played: one that was cut off stays in the file as begun, is counted as no fault, and is not
played again in silence. Of a round that is played again the latest result counts, and an earlier breach is
named all the same.
"""

import fcntl
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

OUTCOMES = ("completed", "failed", "stopped", "expired")
MOST_CHARACTERS = 600
"""Of one sentence."""

_IDENTITY = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_PATH = re.compile(r"(?:(?<![\w/])|(?<=://))(?:/[\w.@:+-]+){2,}/?")
_FIGURES = re.compile(r"\b[0-9a-f]*\d[0-9a-f.:-]*")

type Key = tuple[int, int]
"""Seed and number."""


def bare(text: str) -> str:
    """Return a sentence without ids, paths and figures, which are of one run on one machine."""
    for what in (_IDENTITY, _PATH, _FIGURES):
        text = what.sub("#", text)
    return text[:MOST_CHARACTERS]


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
    """Why sessions did not complete: whether it is true, people judge."""
    breaches: list[str]
    void: str = ""
    """Why the round proves nothing at all: the campaign itself could not put right what it broke."""

    @property
    def key(self) -> Key:
        """Return what names it."""
        return self.seed, self.number

    @property
    def planned(self) -> set[str]:
        """Return the names of its faults, made or not."""
        return {*self.made, *self.unmade}

    def bare(self) -> "Round":
        """Return it as it is recorded."""
        return replace(
            self,
            unmade={name: bare(why) for name, why in self.unmade.items()},
            reasons=[bare(reason) for reason in self.reasons],
            breaches=[bare(breach) for breach in self.breaches],
            void=bare(self.void),
        )


@dataclass(slots=True)
class Record:
    """Rounds played so far; in `path` too, if there is one."""

    path: Path | None = None
    played: dict[Key, Round] = field(default_factory=dict)
    begun: set[Key] = field(default_factory=set)
    mended: dict[Key, list[str]] = field(default_factory=dict)
    """Breaches of rounds that were played again, without one."""

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
        played = played.bare()
        with self._locked():
            self._append(asdict(played))
        self.begun.add(played.key)
        self._note(played)

    @property
    def rounds(self) -> list[Round]:
        """Return the latest result of every round."""
        return list(self.played.values())

    @property
    def counted(self) -> list[Round]:
        """Return the rounds that prove something."""
        return [each for each in self.rounds if not each.void]

    @property
    def faults(self) -> int:
        """How many were made in rounds that count."""
        return sum(len(each.made) for each in self.counted)

    def _note(self, played: Round) -> None:
        before = self.played.get(played.key)
        if played.breaches or played.void:
            self.mended.pop(played.key, None)
        elif before is not None and before.breaches:
            self.mended[played.key] = before.breaches
        self.played[played.key] = played

    def _take(self, text: str) -> None:
        for kept in (self.played, self.begun, self.mended):
            kept.clear()
        for number, line in enumerate(text.splitlines(), 1):
            try:
                fields = json.loads(line)
                self.begun.add((int(fields["seed"]), int(fields["number"])))
                if "begun" not in fields:
                    self._note(Round(**fields))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self.path}, line {number} is no round of a campaign: {error}") from error

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
    """Return what the record proves, in Markdown, with every reason."""
    counted = record.counted
    broken = sorted({breach for each in counted for breach in each.breaches})
    unmade = Counter(f"{name}: {why}" for each in record.rounds for name, why in each.unmade.items())
    reasons = Counter(reason for each in counted for reason in each.reasons)
    lines = [
        counts(record),
        "",
        table(counted),
        "",
        *(f"{times:4} x {reason}" for reason, times in reasons.most_common()),
        *(f"{times:4} x not injected, not counted: {why}" for why, times in unmade.most_common()),
        *(f"void: {_name(each.key)}: {each.void}" for each in record.rounds if each.void),
        *(f"begun, no result: {_name(key)}" for key in unfinished(record)),
        *(
            f"played again after: {_name(key)}: {'; '.join(was)}"
            for key, was in sorted(record.mended.items())
        ),
        "",
        f"breaches: {len(broken)}",
        *(f"  {breach}" for breach in broken),
    ]
    return "\n".join(lines)


def counts(record: Record) -> str:
    """Return how much was played, and how sessions ended, in one sentence."""
    counted = record.counted
    sessions = Counter(outcome for each in counted for outcome in each.outcomes)
    seeds = sorted({each.seed for each in record.rounds})
    named = f"Seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}"
    ends = ", ".join(f"{sessions[outcome]} {outcome}" for outcome in OUTCOMES)
    rounds = f"{record.faults} faults in {len(counted)} rounds"
    return f"{named}: {rounds}, {sessions.total()} sessions ({ends})."


def unfinished(record: Record) -> list[Key]:
    """Return the rounds that were cut off."""
    return sorted(record.begun - record.played.keys())


def _name(key: Key) -> str:
    return f"seed {key[0]}, round {key[1]}"


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
