"""All installed collectors, and the order in which they run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dryrun_contract.problem import Fault
from dryrun_orchestrator.catalog.allowlist import Allowlist
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_order import CollectorOrderError, order_collectors
from dryrun_orchestrator.catalog.manifest_reader import read_manifest
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.reader_tables import READERS, load_reader_tables
from dryrun_orchestrator.catalog.yaml_tree import FaultList


class CollectorManifestsError(OperatorFileError):
    """The collector manifests are invalid; `faults` lists all problems of all files."""


@dataclass(frozen=True, slots=True)
class CollectorManifests:
    """All installed collectors, whose needs are satisfiable."""

    by_name: Mapping[str, CollectorManifest]

    def in_order(self, names: Collection[str] | None = None) -> tuple[CollectorManifest, ...]:
        """Return the named collectors, each after those that provide what it needs.

        `None` means all except those for comparison.

        Raises KeyError for an unknown name, and CollectorOrderError when one needs a kind that no other
        provides.
        """
        if names is None:
            return order_collectors(each for each in self.by_name.values() if each.purpose == "discovery")
        return order_collectors(self.by_name[name] for name in names)


def load_collector_manifests(folder: Path, allowlist: Allowlist) -> CollectorManifests:
    """Read `*.yml` of the folder. Raises CollectorManifestsError with all problems of all files."""
    faults: list[Fault] = []
    found: dict[str, CollectorManifest] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".yml")
    except OSError as error:
        paths = []
        faults.append(Fault(where=str(folder), what=f"cannot be read: {error.strerror}"))
    else:
        if not paths:
            faults.append(Fault(where=str(folder), what="holds no collector manifest (*.yml)"))
    tables = load_reader_tables(folder / READERS, faults)
    for path in paths:
        report = FaultList(f"{folder.name}/{path.name}")
        manifest = read_manifest(path, report, allowlist, tables)
        if manifest is not None and manifest.name in found:
            report.add(f"the name {manifest.name} already belongs to another collector")
        elif manifest is not None:
            found[manifest.name] = manifest
        faults.extend(report.faults)
    if not faults:
        try:
            order_collectors(found.values())
        except CollectorOrderError as error:
            faults.extend(Fault(where=folder.name, what=problem) for problem in error.problems)
    if faults:
        raise CollectorManifestsError(f"the collector manifests in {folder}", faults)
    return CollectorManifests(MappingProxyType(found))
