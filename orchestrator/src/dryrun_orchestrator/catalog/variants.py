"""What a seed changes in a template: the variant of each service, and which services swap places.

Seed 0 is the template as written. Every other choice depends only on digests of template, seed and name, so
that it is the same on every machine and in every version of Python.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dryrun_contract.ground_truth import Fact
from dryrun_orchestrator.catalog.allowlist import AllowedImage

HARD_SHARE = 5
"""At most one fact in this many may be hard."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One form of a service: its image, its environment, and its facts."""

    image: AllowedImage
    environment: Mapping[str, str]
    facts: tuple[Fact, ...]
    """Keys relative to the service, e.g. `:80/tcp`."""


@dataclass(frozen=True, slots=True)
class Variants:
    """All forms of a template."""

    alternatives: Mapping[str, tuple[Alternative, ...]]
    """By service, in the file's order; the first is the service as written."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Groups of services that may swap places."""

    def chosen(self, template_id: str, seed: int) -> Mapping[str, Alternative]:
        """Return each service's form for this seed."""
        found = {
            name: alternatives[_number(template_id, seed, name) % len(alternatives) if seed else 0]
            for name, alternatives in self.alternatives.items()
        }
        if seed:
            for group in self.groups:
                order = sorted(group, key=lambda name: _number(template_id, seed, f"place of {name}"))
                found.update(zip(group, [found[name] for name in order], strict=True))
        return MappingProxyType(found)

    def too_many_hard(self) -> tuple[int, int] | None:
        """Return hard cases and all facts of the seed with the most of them, if these are too many."""
        # Services vary independently: the worst template combines each service's worst form.
        worst = [
            max(
                (_hard_of(each.facts) for each in alternatives),
                key=lambda count: HARD_SHARE * count[0] - count[1],
            )
            for alternatives in self.alternatives.values()
        ]
        hard, facts = sum(count[0] for count in worst), sum(count[1] for count in worst)
        return (hard, facts) if HARD_SHARE * hard > facts else None


def _hard_of(facts: Iterable[Fact]) -> tuple[int, int]:
    listed = tuple(facts)
    return sum(fact.hard is not None for fact in listed), len(listed)


def _number(template_id: str, seed: int, what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{template_id}/{seed}/{what}".encode()).digest()[:8])
