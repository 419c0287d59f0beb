"""Holds a run to its rehearsal: the same image, the same configuration, or nothing at all."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dryrun_contract.collector_config import CollectorConfig, configuration_digest

IMAGE_VARIABLE = "DISCOVERY_IMAGE_ID"
"""Set by whoever starts the container. A program cannot see its own image: this is a word given, no proof."""
_REPORT_BYTES = 64 * 1024 * 1024


class NotRehearsedError(ValueError):
    """The report is about another run; the text says in what they differ."""


class _ReportPart(BaseModel):
    # Reports grow; what is not asked for here may be anything.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Run(_ReportPart):
    collector: str
    image: str
    image_id: str
    complete: bool
    config_digest: str | None = None


class _Verdict(_ReportPart):
    passed: bool


class _Session(_ReportPart):
    id: str


class _Report(_ReportPart):
    session: _Session
    collectors: tuple[_Run, ...]
    verdict: _Verdict | None = None


def require_rehearsal(report: Path, collector: str, config: CollectorConfig, image_id: str | None) -> str:
    """Return a sentence about the rehearsal that `collector` with `config` is held to.

    Raises NotRehearsedError unless the report tells of a complete run of this collector from the image
    `image_id` with this configuration, and was not failed by its criteria.
    """
    told = _read(report)
    runs = [run for run in told.collectors if run.collector == collector]
    where = f"{report} (session {told.session.id})"
    if not runs:
        others = ", ".join(sorted({run.collector for run in told.collectors})) or "none"
        raise NotRehearsedError(f"{where} is about other collectors ({others}), not about {collector}")
    if told.verdict is not None and not told.verdict.passed:
        raise NotRehearsedError(f"{where} says failed: its criteria were not met")
    run = runs[-1]
    if not run.complete:
        raise NotRehearsedError(f"{where}: the run of {collector} did not come to its end; rehearse again")
    _require_image(where, run, image_id)
    digest = configuration_digest(config)
    if run.config_digest is None:
        raise NotRehearsedError(f"{where} tells no configuration digest of {collector}; rehearse again")
    if digest != run.config_digest:
        raise NotRehearsedError(
            f"{where} is about another configuration of {collector}: {run.config_digest} was rehearsed, this "
            f"is {digest} ({_described(config)}); use what was rehearsed, or rehearse this"
        )
    return f"as rehearsed in session {told.session.id}: image {run.image_id}, configuration {digest}"


def _require_image(where: str, run: _Run, image_id: str | None) -> None:
    if image_id is None:
        raise NotRehearsedError(
            f"{where} is about the image {run.image_id}, and nobody says which one this is; start the "
            f"container by that ID and name it with --image-id or in {IMAGE_VARIABLE}"
        )
    if image_id != run.image_id:
        raise NotRehearsedError(
            f"{where} is about another image: {run.image} with the ID {run.image_id} was rehearsed, "
            f"this is said to be {image_id}"
        )


def _described(config: CollectorConfig) -> str:
    logins = ", ".join(f"{login.engine}:{login.username or '-'}" for login in config.credentials) or "none"
    return f"profile {config.profile}, max rate {config.max_rate or 'none'}, logins {logins}"


def _read(path: Path) -> _Report:
    try:
        if path.stat().st_size > _REPORT_BYTES:
            raise NotRehearsedError(f"{path} has more than {_REPORT_BYTES} bytes; it is no report")
        return _Report.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise NotRehearsedError(f"cannot read the report {path}: {error}") from None
    except json.JSONDecodeError as error:
        raise NotRehearsedError(
            f"{path} is not JSON (line {error.lineno}); `dryrun report … --format json` writes it"
        ) from None
    except RecursionError:
        raise NotRehearsedError(f"{path} is nested too deeply; it is no report") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the document"
        raise NotRehearsedError(f"{path} is no report of a dry-run: {place}: {problem['msg']}") from None
