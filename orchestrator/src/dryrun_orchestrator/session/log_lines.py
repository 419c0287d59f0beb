"""Counts lines of a target's log: which patterns match, and which collector caused them.

A line is a target's output: any length, any bytes. Patterns are an operator's; one that backtracks endlessly
on a line made for it costs at most `PATTERN_SECONDS`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import regex

from dryrun_contract.event import MAX_LOG_SAMPLE, LogPattern, LogsOfCollectors, SideEffect
from dryrun_contract.text import printable

LINE_BYTES = 4096
"""Searched of one line; the rest of a longer line is ignored."""
PATTERN_SECONDS = 0.25
"""Longest search; a slower pattern is dropped for this target."""
AFTERGLOW = timedelta(seconds=1)
"""A server may log a collector's action a moment after the collector ended."""
SAMPLE_CHARACTERS = 300
MAX_TARGET_SAMPLE = 25
"""Most sample lines of one target, to keep the event small."""

type PatternName = LogPattern | SideEffect

_LOOPBACK = re.compile(r"(?<![0-9.])127\.0\.0\.1(?![0-9])|\[local\]|::1(?![0-9a-f:])|\blocalhost\b")
_FIGURES = re.compile(r"[0-9]+")
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ")


@dataclass(frozen=True, slots=True)
class CollectorSpan:
    """When a collector ran, by the engine's clock, and its address."""

    collector: str
    address: str
    started: datetime
    ended: datetime


@dataclass(slots=True)
class _Caused:
    lines: int = 0
    counts: defaultdict[PatternName, int] = field(default_factory=lambda: defaultdict(int))
    sample: dict[str, str] = field(default_factory=dict)
    """Keyed by the line without its digits."""


class Culprits:
    """Finds who caused a line, by its time and by the addresses it contains."""

    def __init__(self, spans: Sequence[CollectorSpan]) -> None:
        self._spans = tuple(spans)
        self._named = {
            span.address: re.compile(rf"(?<![0-9.]){re.escape(span.address)}(?![0-9])") for span in spans
        }

    def of(self, moment: datetime, line: str) -> tuple[str, ...]:
        """Return the collectors that may have caused `line`, sorted; none for the target itself.

        Of two that ran, the one whose address is in the line. A line with the loopback address and no
        collector's is the target's own, such as of its health check.
        """
        near = [span for span in self._spans if span.started <= moment <= span.ended]
        if not near:
            near = [span for span in self._spans if span.ended <= moment <= span.ended + AFTERGLOW]
        named = [span for span in near if self._named[span.address].search(line)]
        if not named and _LOOPBACK.search(line):
            return ()
        return tuple(sorted({span.collector for span in named or near}))


class LogTally:
    """Counts of one target's lines, by who caused them."""

    def __init__(
        self,
        patterns: Mapping[LogPattern, str],
        culprits: Culprits,
        secrets: Iterable[str] = (),
        side_effects: Mapping[SideEffect, str] = MappingProxyType({}),
    ) -> None:
        self._patterns: dict[PatternName, regex.Pattern[str]] = {}
        self._names = tuple(patterns)
        self._side_effects = tuple(side_effects)
        self._culprits = culprits
        # The longest first: a short one may be part of it.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._caused: defaultdict[tuple[str, ...], _Caused] = defaultdict(_Caused)
        self.given_up: list[PatternName] = []
        """Patterns that were too slow, or that this library cannot compile; they have no counts."""
        self._stopped = False
        for name, pattern in (*patterns.items(), *side_effects.items()):
            try:
                self._patterns[name] = regex.compile(pattern)
            except regex.error:
                self.given_up.append(name)

    def take(self, lines: Iterable[bytes]) -> None:
        """Count lines in the engine's form, each after its timestamp, until `stop`, from any thread."""
        for raw in lines:
            if self._stopped:
                return
            stamp = _MOMENT.match(raw)
            if stamp is None:
                continue
            moment = datetime.fromisoformat(stamp[0][:-1].decode()).astimezone(UTC)
            line = raw[stamp.end() : stamp.end() + LINE_BYTES].decode("utf-8", "replace")
            if line.strip():
                self._count(moment, line)

    def stop(self) -> None:
        """Have `take` return after the line at hand, and count nothing more."""
        self._stopped = True

    def of_collectors(self) -> tuple[LogsOfCollectors, ...]:
        """Return the counts by collectors; lines of a single collector come first."""
        measured = []
        room = MAX_TARGET_SAMPLE
        for collectors, caused in sorted(self._caused.items(), key=lambda item: (len(item[0]) != 1, item[0])):
            sample = tuple(caused.sample.values())[:room]
            room -= len(sample)
            measured.append(
                LogsOfCollectors(
                    collectors=collectors,
                    lines=caused.lines,
                    counts={name: caused.counts[name] for name in self._names if name in self._patterns},
                    side_effects={
                        name: caused.counts[name] for name in self._side_effects if name in self._patterns
                    },
                    sample=sample,
                )
            )
        return tuple(measured)

    def counts(self) -> dict[LogPattern, int | None]:
        """Return each pattern's count over lines that collectors caused; None for a dropped pattern."""
        return {name: self._total(name) for name in self._names}

    def side_effects(self) -> dict[SideEffect, int | None]:
        """Return each side effect's count over lines that collectors caused; None for a dropped pattern."""
        return {name: self._total(name) for name in self._side_effects}

    def _total(self, name: PatternName) -> int | None:
        if name not in self._patterns:
            return None
        return sum(caused.counts[name] for collectors, caused in self._caused.items() if collectors)

    def lines(self) -> int:
        """Return how many lines collectors caused."""
        return sum(caused.lines for collectors, caused in self._caused.items() if collectors)

    def _count(self, moment: datetime, line: str) -> None:
        caused = self._caused[self._culprits.of(moment, line)]
        caused.lines += 1
        for name, pattern in list(self._patterns.items()):
            try:
                # concurrent: releases the interpreter lock
                if pattern.search(line, timeout=PATTERN_SECONDS, concurrent=True):
                    caused.counts[name] += 1
            except TimeoutError:
                del self._patterns[name]
                self.given_up.append(name)
        shape = _FIGURES.sub("0", line[:SAMPLE_CHARACTERS])
        if len(caused.sample) < MAX_LOG_SAMPLE and shape not in caused.sample:
            caused.sample[shape] = self._shown(line)

    def _shown(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "[hidden]")
        # printable() writes up to six characters for one.
        return printable(line.strip(), limit=SAMPLE_CHARACTERS)[: SAMPLE_CHARACTERS + 1]
