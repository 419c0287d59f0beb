"""Reads a report that may be of another version, or no report at all."""

from pydantic import Field, JsonValue, ValidationError

from dryrun_contract.base import Word
from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, check_bounds
from dryrun_contract.discovery import LINE_BOUNDS
from dryrun_contract.faults import first_fault
from dryrun_contract.report import VERSION, Report

REPORT_BOUNDS = JsonBounds(
    size=64 * 1024 * 1024, values=4_000_000, depth=32, key_length=LINE_BOUNDS.key_length
)
"""Ceilings for reading a report. It is computed from at most 6 MiB of discoveries; their values occur up to
three times: merged, as evidence, and as a wrong value."""


class UnreadableReportError(ValueError):
    """The document is not a report of this version; the text says where, why and what to do next."""


class _Head(Word):
    version: int = Field(ge=0, le=1_000_000)


_MOST_FAULTS = 1_000
"""Describing a fault takes a kilobyte, and each value of a foreign document may be one."""


def read_report(text: bytes) -> Report:
    """Return the report that the JSON `text` holds, without fields that this version does not know.

    Raises UnreadableReportError, also for a text beyond `REPORT_BOUNDS`.
    """
    try:
        check_bounds(text, REPORT_BOUNDS)
        _check_version(_Head.model_validate_json(text, extra="ignore"))
        return Report.model_validate_json(text, extra="ignore")
    except OutOfBoundsError as error:
        raise UnreadableReportError(f"it is {error}; no report is that large") from None
    except ValidationError as error:
        raise _unreadable(error) from None


def to_report(value: JsonValue) -> Report:
    """Return the report in a JSON value that was read within bounds. Raises UnreadableReportError."""
    try:
        _check_version(_Head.model_validate(value, extra="ignore"))
        return Report.model_validate(value, extra="ignore")
    except ValidationError as error:
        raise _unreadable(error) from None


def _check_version(head: _Head) -> None:
    # First: whatever else differs, the version is the reason.
    if head.version != VERSION:
        raise UnreadableReportError(
            f"it has version {head.version} of the format, and this program reads version {VERSION}; "
            "update the older of the two programs, or write the report again"
        )


def _unreadable(error: ValidationError) -> UnreadableReportError:
    faults = error.error_count()
    if faults > _MOST_FAULTS:
        return UnreadableReportError(f"it is not a report of a dry-run: {faults:,} values do not fit")
    fault = error.errors(include_url=False, include_context=False)[0]
    if fault["type"] == "json_invalid":
        return UnreadableReportError(
            f"it is not JSON ({fault['msg']}); `dryrun report ID --format json` writes a report"
        )
    return UnreadableReportError(f"it is not a report of a dry-run: {first_fault(error)}")
