"""What several collectors said of one thing, made one: the most confident wins, attribute by attribute."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from approval_api.scoring.naming import Place, name_place
from approval_api.scoring.values import is_told
from dryrun_contract.discovery import Discovery
from dryrun_contract.scores import DiscoveryEvidence


@dataclass(frozen=True, slots=True)
class Finding:
    """What one collector said."""

    collector: str
    discovery: Discovery


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding, and where that is."""

    finding: Finding
    place: Place


@dataclass(frozen=True, slots=True)
class Merged:
    """One thing, as all collectors together told it."""

    kind: str
    key: str
    """By service name when `named`, else as it was said."""
    named: bool
    """It lies at an address that belongs to one of the session's services."""
    data: dict[str, JsonValue]
    findings: tuple[Finding, ...]
    """What was said, most confident first, repetitions left out."""

    @property
    def collectors(self) -> tuple[str, ...]:
        """Return who said so, sorted."""
        return tuple(sorted({finding.collector for finding in self.findings}))

    @property
    def evidence(self) -> tuple[DiscoveryEvidence, ...]:
        """Return what each collector said, most confident first."""
        return tuple(
            DiscoveryEvidence(
                collector=finding.collector,
                confidence=finding.discovery.confidence,
                data=finding.discovery.data,
            )
            for finding in self.findings
        )

    @property
    def refused(self) -> bool:
        """Return whether a collector had its credential refused here."""
        return any(finding.discovery.data.get("access") == "refused" for finding in self.findings)


def place_all(findings: Iterable[Finding], addresses: Mapping[str, str]) -> list[Placed]:
    """Return `findings` with their places: a key is read once, however often it is scored."""
    return [Placed(finding, name_place(finding.discovery.key, addresses)) for finding in findings]


def merge(findings: Iterable[Placed]) -> dict[tuple[tuple[str, str], bool], Merged]:
    """Return what was found by ((kind, key), named); keys are by service name where that is known."""
    together: defaultdict[tuple[tuple[str, str], bool], list[Finding]] = defaultdict(list)
    for placed in findings:
        identity = placed.finding.discovery.kind, placed.place.key
        together[identity, placed.place.service is not None].append(placed.finding)
    merged = {}
    for ((kind, key), named), said in together.items():
        ranked = _ranked(said)
        data: dict[str, JsonValue] = {}
        for finding in ranked:
            for name, value in finding.discovery.data.items():
                if is_told(value):
                    data.setdefault(name, value)
        merged[(kind, key), named] = Merged(kind, key, named, data, ranked)
    return merged


def _ranked(said: list[Finding]) -> tuple[Finding, ...]:
    """Return what was said, most confident first. Told twice in the same words is told once."""
    if len(said) == 1:
        return tuple(said)
    return tuple(finding for _, finding in sorted({_rank(one): one for one in said}.items()))


def _rank(finding: Finding) -> tuple[float, str, str]:
    # Ties are broken by what was said, never by when: the order of arrival must not change a score.
    return (
        -finding.discovery.confidence,
        finding.collector,
        json.dumps(finding.discovery.data, sort_keys=True, default=str),
    )
