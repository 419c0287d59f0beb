"""Admits a production run only with the image and configuration of its rehearsal."""

from pathlib import Path
from typing import TYPE_CHECKING

from dryrun_contract.collector_config import CollectorConfig, configuration_digest

if TYPE_CHECKING:
    from dryrun_contract.report import CollectorRun, Report

IMAGE_VARIABLE = "DISCOVERY_IMAGE_ID"
"""Set by whoever starts the container. A program cannot see its own image: this is a claim, not proof."""


class NotRehearsedError(ValueError):
    """The report does not cover this run; the text says where they differ."""


def require_rehearsal(report: Path, collector: str, config: CollectorConfig, image_id: str | None) -> str:
    """Return a sentence that names the rehearsal of this run.

    Raises NotRehearsedError unless the report has a complete run of `collector` from the image `image_id`
    with the configuration `config`, and did not fail its criteria; without a verdict, unless it is certain
    that the targets suffered nothing.
    """
    rehearsed = _read(report)
    runs = [run for run in rehearsed.collectors if run.collector == collector]
    where = f"{report} (session {rehearsed.session.id})"
    if not runs:
        others = ", ".join(sorted({run.collector for run in rehearsed.collectors})) or "none"
        raise NotRehearsedError(f"{where} is about other collectors ({others}), not about {collector}")
    if rehearsed.verdict is not None and not rehearsed.verdict.passed:
        raise NotRehearsedError(f"{where} has the verdict failed: its criteria were not met")
    if rehearsed.verdict is None:
        _require_no_harm(where, rehearsed)
    run = runs[-1]
    if not run.complete:
        raise NotRehearsedError(f"{where}: the run of {collector} is not complete; rehearse again")
    _require_image(where, run, image_id)
    digest = configuration_digest(config)
    if run.config_digest is None:
        raise NotRehearsedError(f"{where} has no configuration digest of {collector}; rehearse again")
    if digest != run.config_digest:
        raise NotRehearsedError(
            f"{where} is about another configuration of {collector}: {run.config_digest} was rehearsed, this "
            f"is {digest} ({_described(config)}); use the rehearsed configuration, or rehearse this one"
        )
    return f"as rehearsed in session {rehearsed.session.id}: image {run.image_id}, configuration {digest}"


def _require_no_harm(where: str, rehearsed: "Report") -> None:
    # Imported here for the reason in `_read`.
    from dryrun_contract.side_effects import possible_harm  # noqa: PLC0415

    harm = list(possible_harm(rehearsed))
    if harm:
        raise NotRehearsedError(f"{where} has no verdict, and {'; '.join(harm)}")


def _require_image(where: str, run: "CollectorRun", image_id: str | None) -> None:
    if image_id is None:
        raise NotRehearsedError(
            f"{where} is about the image {run.image_id}, and the image of this run is not known; start the "
            f"container by that ID and name it with --image-id or in {IMAGE_VARIABLE}"
        )
    if image_id != run.image_id:
        raise NotRehearsedError(
            f"{where} is about another image: {run.image} with the ID {run.image_id} was rehearsed, "
            f"this is said to be {image_id}"
        )


def _described(config: CollectorConfig) -> str:
    credentials = ", ".join(f"{one.engine}:{one.username or '-'}" for one in config.credentials) or "none"
    return f"profile {config.profile}, max rate {config.max_rate or 'none'}, credentials {credentials}"


def _read(path: Path) -> "Report":
    # A report's models take longest of all to build, and only a rehearsed run reads one.
    from dryrun_contract.report_reading import (  # noqa: PLC0415
        REPORT_BOUNDS,
        UnreadableReportError,
        read_report,
    )

    try:
        with path.open("rb") as file:
            return read_report(file.read(REPORT_BOUNDS.size + 1))
    except OSError as error:
        raise NotRehearsedError(f"cannot read the report {path}: {error.strerror or error}") from None
    except UnreadableReportError as error:
        raise NotRehearsedError(f"{path} is not a report to rehearse by: {error}") from None
