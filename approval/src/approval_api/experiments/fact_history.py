"""Sorts what became of one fact by the versions of the collectors that looked for it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approval_api.experiments.measure import FactResult, Name
from dryrun_contract.fact_history import CollectorVersion, FactHistory, FactRun, FactVersion

_MOST_VALUES = 5


@dataclass(frozen=True, slots=True)
class Look:
    """One measured run on the template."""

    session_id: UUID
    experiment_id: UUID
    arm: str
    seed: int
    at: datetime
    images: Mapping[str, str]
    configurations: Mapping[str, str]
    fact: FactResult | None
    """None: the run does not have the fact among those that it keeps."""
    was_cut: bool
    """It keeps fewer facts than it had."""


def history(template: str, name: Name, looks: Sequence[Look], *, more: bool) -> FactHistory:
    """Return the fact's history; runs in which it is no fact, as in another variant, are left out."""
    kind, key, attribute = name
    by_version: defaultdict[tuple[CollectorVersion, ...], list[Look]] = defaultdict(list)
    for look in sorted(looks, key=lambda look: look.at):
        if look.fact is not None or look.was_cut:
            by_version[_version(look)].append(look)
    versions = [_summed_up(collectors, own) for collectors, own in by_version.items()]
    expected = [look.fact.expected for look in looks if look.fact and look.fact.expected is not None]
    return FactHistory(
        template=template,
        kind=kind,
        key=key,
        attribute=attribute,
        expected=expected[0] if expected else None,
        versions=tuple(sorted(versions, key=lambda each: each.runs[-1].at, reverse=True)),
        more=more,
    )


def _version(look: Look) -> tuple[CollectorVersion, ...]:
    return tuple(
        CollectorVersion(collector=name, image=image, configuration=look.configurations.get(name))
        for name, image in sorted(look.images.items())
    )


def _summed_up(collectors: tuple[CollectorVersion, ...], looks: Sequence[Look]) -> FactVersion:
    fates = Counter(look.fact.fate for look in looks if look.fact)
    values = Counter(look.fact.value for look in looks if look.fact and look.fact.value is not None)
    return FactVersion(
        collectors=collectors,
        found=fates["found"],
        of=fates["found"] + fates["missed"],
        values=dict(values.most_common(_MOST_VALUES)),
        runs=tuple(
            FactRun(
                session_id=look.session_id,
                experiment_id=look.experiment_id,
                arm=look.arm,
                seed=look.seed,
                at=look.at,
                fate=look.fact.fate if look.fact else "unknown",
                value=look.fact.value if look.fact else None,
            )
            for look in looks
        ),
    )
