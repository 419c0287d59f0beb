"""The command of a production run that is exactly what was rehearsed; nothing is run here."""

import shlex
from collections.abc import Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import Path

from dryrun_contract.report import CollectorRun, Report
from dryrun_contract.report_reading import REPORT_BOUNDS, UnreadableReportError, read_report
from dryrun_contract.side_effects import possible_harm
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.catalog.arguments import arguments_digest, fill_in, has_rate
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError


class NotRehearsedError(LocalError):
    """The report does not cover this run; the message says where they differ, all of it."""


def production_command(
    installation: Installation,
    name: str,
    report: Path,
    *,
    targets: str,
    exclude: Sequence[str],
    max_rate: int | None,
) -> str:
    """Return a `docker run` of the rehearsed image, by its id, with the rehearsed arguments.

    Raises NotRehearsedError unless the report has a complete run of the scanner with this image, these
    arguments and this rate, and did not fail its criteria; without a verdict, unless it is certain
    that the targets suffered nothing.
    """
    manifest = _manifest(installation, name)
    rate = manifest.max_rate if max_rate is None else max_rate
    rehearsed = _read(report)
    runs = [run for run in rehearsed.collectors if run.collector == name]
    faults = [*_faults(manifest, rehearsed, runs, rate), *_faults_of_places(manifest, targets, exclude)]
    if faults:
        raise NotRehearsedError("\n  ".join([f"{report} (session {rehearsed.session.id}):", *faults]))
    arguments = fill_in(manifest.arguments, cidr=targets, own="", exclude=exclude, rate=rate)
    image = manifest.image
    mounts = [f"--tmpfs={path}:size={mount.size},mode={mount.mode}" for path, mount in image.tmpfs.items()]
    rights = ["--cap-drop=ALL", *(f"--cap-add={each}" for each in manifest.capabilities)]
    command = ["docker", "run", "--rm", "--network=host", *rights, "--security-opt=no-new-privileges"]
    return shlex.join([*command, "--read-only", *mounts, image.id, *arguments])


def _manifest(installation: Installation, name: str) -> CollectorManifest:
    try:
        allowlist = load_allowlist(installation.allowlist)
        manifests = load_collector_manifests(installation.manifests, allowlist).by_name
    except OperatorFileError as error:
        raise NotRehearsedError(str(error)) from error
    if name not in manifests:
        raise NotRehearsedError(f"no collector {name} is installed; installed are {', '.join(manifests)}")
    if not manifests[name].arguments:
        raise NotRehearsedError(f"{name} reads its configuration: use discovery-collect {name} --rehearsed")
    return manifests[name]


def _read(path: Path) -> Report:
    try:
        with path.open("rb") as file:
            return read_report(file.read(REPORT_BOUNDS.size + 1))
    except OSError as error:
        raise NotRehearsedError(f"cannot read the report {path}: {error.strerror}") from None
    except UnreadableReportError as error:
        raise NotRehearsedError(f"{path} is not a report: {error}") from None


def _faults(
    manifest: CollectorManifest, report: Report, runs: Sequence[CollectorRun], rate: int | None
) -> Iterator[str]:
    if not runs:
        yield f"{manifest.name} did not run in it"
        return
    run = runs[-1]
    if report.verdict is not None and not report.verdict.passed:
        yield "its criteria were not met"
    if report.verdict is None:
        yield from possible_harm(report)
    if not run.complete:
        yield f"the run of {manifest.name} is not complete: {run.reason}"
    if run.image_id != manifest.image.id:
        yield f"the image {run.image_id} was rehearsed, but {manifest.image.id} is installed"
    if run.config_digest != arguments_digest(manifest.arguments, rate=rate):
        said = f" and {rate} packets per second" if has_rate(manifest.arguments) else ""
        yield f"the rehearsed arguments were not [{' '.join(manifest.arguments)}]{said}"


def _faults_of_places(manifest: CollectorManifest, targets: str, exclude: Sequence[str]) -> Iterator[str]:
    try:
        network = IPv4Network(targets)
    except (AddressValueError, NetmaskValueError, ValueError):
        yield f"--targets {targets!r} is not an IPv4 network, e.g. 10.0.0.0/24"
        return
    for text in exclude:
        try:
            if IPv4Address(text) not in network:
                yield f"--exclude {text} is outside {targets}"
        except AddressValueError:
            yield f"--exclude {text!r} is not an IPv4 address"
    words = " ".join(manifest.arguments)
    if "{exclude}" in words and not exclude:
        yield "its arguments hold {exclude}: name at least one address that is not a target"
    if "{self}" in words:
        yield "its arguments hold {self}, which is known inside a session only"
