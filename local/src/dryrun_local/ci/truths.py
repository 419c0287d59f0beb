"""What is to be found on each network of an experiment, read from the installed files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dryrun_contract.ground_truth import GroundTruth
from dryrun_local.ci.counting import Network
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template


@dataclass(frozen=True, slots=True)
class Truth:
    """One network: its digests, and what a perfect collector would find there."""

    digest: str
    """The network's digest in reports, where images count by id."""
    task_digest: str
    """The network's digest in baselines."""
    facts: GroundTruth


def load_truths(
    installation: Installation, templates: Iterable[str], seeds: Iterable[int]
) -> Mapping[Network, Truth]:
    """Return the truth of every network; the images have to be built. Raises LocalError."""
    truths = {}
    wanted = tuple(seeds)
    try:
        allowlist = load_allowlist(installation.allowlist)
        manifests = load_collector_manifests(installation.manifests, allowlist)
        for template in templates:
            path = installation.templates / f"{template}.yml"
            if not path.is_file():
                path = installation.replica_templates / path.name
            file = load_template(path, allowlist, manifests).file
            for seed in wanted:
                loaded = file.with_seed(seed)
                truths[template, seed] = Truth(loaded.digest, loaded.task_digest, loaded.ground_truth)
    except TemplateInvalidError as error:
        raise LocalError("\n".join(f"{fault.where}: {fault.what}" for fault in error.faults)) from error
    except OperatorFileError as error:
        raise LocalError(str(error)) from error
    return truths
