"""Merges the findings of several collectors on one resource: the most confident wins, by attribute."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from approval_api.scoring.naming import Place, name_place
from approval_api.scoring.values import has_value
from dryrun_contract.discovery import Discovery
from dryrun_contract.scores import DiscoveryEvidence


@dataclass(frozen=True, slots=True)
class Finding:
    """A discovery with its collector, while it is scored."""

    collector: str
    discovery: Discovery


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding and its place."""

    finding: Finding
    place: Place


@dataclass(frozen=True, slots=True)
class Merged:
    """One resource, as all collectors together reported it."""

    kind: str
    key: str
    """By service name when `named`, else as reported."""
    named: bool
    """Whether its address belongs to one of the session's services."""
    data: dict[str, JsonValue]
    findings: tuple[Finding, ...]
    """Most confident first, without repetitions."""

    @property
    def collectors(self) -> tuple[str, ...]:
        """Return the collectors that reported it, sorted."""
        return tuple(sorted({finding.collector for finding in self.findings}))

    @property
    def evidence(self) -> tuple[DiscoveryEvidence, ...]:
        """Return what each collector reported, most confident first."""
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
        """Return whether it refused a collector's credential."""
        return any(finding.discovery.data.get("access") == "refused" for finding in self.findings)


def place_all(findings: Iterable[Finding], addresses: Mapping[str, str]) -> list[Placed]:
    """Return `findings` with their places: a key is read once, however often it is scored."""
    return [Placed(finding, name_place(finding.discovery.key, addresses)) for finding in findings]


def merge(findings: Iterable[Placed]) -> dict[tuple[tuple[str, str], bool], Merged]:
    """Return the merged findings by ((kind, key), named); keys have the service name where it is known."""
    together: defaultdict[tuple[tuple[str, str], bool], list[Finding]] = defaultdict(list)
    for placed in findings:
        identity = placed.finding.discovery.kind, placed.place.key
        together[identity, placed.place.service is not None].append(placed.finding)
    merged = {}
    for ((kind, key), named), reported in together.items():
        ranked = _ranked(reported)
        data: dict[str, JsonValue] = {}
        surest: dict[str, float] = {}
        for finding in ranked:
            sure = finding.discovery.confidence
            # A surer report replaces the collector's own, also where it says less: it took something back.
            if sure < surest.setdefault(finding.collector, sure):
                continue
            for name, value in finding.discovery.data.items():
                if has_value(value):
                    data.setdefault(name, value)
        merged[(kind, key), named] = Merged(kind, key, named, data, ranked)
    return merged


def _ranked(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return the findings, most confident first; equal ones count once."""
    if len(findings) == 1:
        return tuple(findings)
    return tuple(finding for _, finding in sorted({_rank(one): one for one in findings}.items()))


def _rank(finding: Finding) -> tuple[float, str, str]:
    # Ties are broken by content, never by time: the order of arrival must not change a score.
    return (
        -finding.discovery.confidence,
        finding.collector,
        json.dumps(finding.discovery.data, sort_keys=True, default=str),
    )
