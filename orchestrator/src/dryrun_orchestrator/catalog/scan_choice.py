"""Applies a client's choice among the installed collectors; nothing else of a request reaches the engine."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

from dryrun_contract.problem import Fault
from dryrun_contract.scan_choice import ScanChoice
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.collector_order import CollectorOrderError


class ScanChoiceError(Exception):
    """The choice cannot be made among what is installed; `faults` lists all reasons."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.where}: {fault.what}" for fault in faults))


def chosen_collectors(
    own: tuple[CollectorManifest, ...], installed: CollectorManifests, choice: ScanChoice
) -> tuple[CollectorManifest, ...]:
    """Return the collectors to run, in order; `own` are the template's. Raises ScanChoiceError.

    Collectors for comparison that are chosen without any other have nothing to be compared with: their
    findings count.
    """
    faults: list[Fault] = []
    collectors = _named(installed, choice.collectors, faults) if choice.collectors else own
    if choice.collectors and collectors and all(each.purpose == "comparison" for each in collectors):
        collectors = tuple(replace(each, purpose="discovery") for each in collectors)
    if choice.profile is not None:
        collectors = _with_profile(collectors, choice, faults)
    if choice.max_rate is not None:
        collectors = _with_rate(collectors, choice.max_rate, faults)
    if faults:
        raise ScanChoiceError(faults)
    return collectors


def _named(
    installed: CollectorManifests, names: Sequence[str], faults: list[Fault]
) -> tuple[CollectorManifest, ...]:
    known = sorted(installed.by_name)
    unknown = [name for name in names if name not in installed.by_name]
    for name in unknown:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        faults.append(
            Fault(
                where="scan.collectors",
                what=f"no collector {name} is installed{hint} Installed are: {', '.join(known)}",
            )
        )
    if len(set(names)) < len(names):
        faults.append(Fault(where="scan.collectors", what="names a collector twice"))
    if faults:
        return ()
    try:
        return installed.in_order(names)
    except CollectorOrderError as error:
        faults.extend(Fault(where="scan.collectors", what=problem) for problem in error.problems)
        return ()


def _with_profile(
    collectors: tuple[CollectorManifest, ...], choice: ScanChoice, faults: list[Fault]
) -> tuple[CollectorManifest, ...]:
    # One with arguments of its own reads no configuration, so a profile would change nothing.
    if collectors and all(each.arguments for each in collectors):
        faults.append(Fault(where="scan.profile", what="none of the collectors has profiles"))
    profile = choice.profile
    assert profile is not None
    return tuple(each if each.arguments else replace(each, profile=profile) for each in collectors)


def _with_rate(
    collectors: tuple[CollectorManifest, ...], rate: int, faults: list[Fault]
) -> tuple[CollectorManifest, ...]:
    faults.extend(
        Fault(
            where="scan.max_rate",
            what=f"{rate} packets per second are more than the manifest of {each.name} allows "
            f"({each.max_rate})",
        )
        for each in collectors
        if each.max_rate is not None and rate > each.max_rate
    )
    if collectors and not any(each.takes_rate for each in collectors):
        faults.append(Fault(where="scan.max_rate", what="none of the collectors takes a rate"))
    return tuple(replace(each, max_rate=rate) if each.takes_rate else each for each in collectors)
