"""`dryrun production report`: sends what a collector wrote, with what it covered."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import JsonValue, ValidationError

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject, read_object, read_word
from dryrun_cli.commands.command import command, wrote_json
from dryrun_cli.commands.production_output import NO_NETWORK, input_name, interruptible, may_be_read_again
from dryrun_cli.commands.scan_output import ScanOutput, readable_twice
from dryrun_cli.commands.scan_scope import ScanScope, some
from dryrun_cli.errors import ApiRefusedError, CliError, WrongUseError
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_contract.discovery import DiscoveryLine
from dryrun_contract.fault_words import A_TIME, in_words
from dryrun_contract.production import ScanEnd, ScanStart, ScanView
from dryrun_contract.text import counted, printable

REPORTED_AT_ONCE: Final = 500
BYTES_AT_ONCE: Final = 1024 * 1024
"""Bytes of one request. The API takes four times that."""
VALUES_AT_ONCE: Final = 80_000
"""Values of one request. The API takes 100,000; a line, at most 16,384."""
END_SECONDS: Final = 300.0
"""A scan that misses 100,000 of a million discoveries takes 40 s to end."""
_NO_COLLECTOR: Final = (
    "is not a collector's name: a-z, 0-9, - and _ in at most 64 characters, the first a letter"
)
_BEGINS_WITH_A_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DECLARED: Final = {
    "collector": "--collector",
    "targets": "--targets",
    "exclude": "--exclude",
    "began_at": "--began",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that was made, as the command line describes it."""

    file: Path
    collector: str
    targets: tuple[str, ...]
    exclude: tuple[str, ...]
    profile: Literal["quick", "full"]
    despite_warnings: bool
    began: str | None = None
    """RFC 3339."""


def _batches(found: Iterable[DiscoveryLine]) -> Iterator[list[JsonObject]]:
    """Yield what is sent in one request."""
    batch: list[JsonObject] = []
    size, values = 0, 0
    for line in found:
        # By way of JSON text, in which an infinity is null, as the API stores it.
        text = line.discovery().model_dump_json().encode()
        # As bounds count them, and what stands in strings too: never less than there are.
        more = text.count(b",") + text.count(b"[") + text.count(b"{") + 1
        full = size + len(text) > BYTES_AT_ONCE or values + more > VALUES_AT_ONCE
        if batch and (full or len(batch) == REPORTED_AT_ONCE):
            yield batch
            batch, size, values = [], 0, 0
        batch.append(json.loads(text))
        size, values = size + len(text), values + more
    if batch:
        yield batch


def _require_targets(file: Path, output: ScanOutput, scope: ScanScope) -> None:
    """Raise WrongUseError for targets with none of the addresses that the file has: it is another scan's."""
    if elsewhere := scope.elsewhere(output.discoveries()):
        raise WrongUseError(
            f"--targets: {input_name(file)} has no discovery in {scope}, and some elsewhere, such as "
            f"{elsewhere}; give what was scanned: everything that a scan does not find there counts as missed"
        )


def _start_of(scan: Scan) -> ScanStart:
    """Return what begins the scan. Raises WrongUseError with the option that is wrong."""
    # A number would be read as seconds since 1970: 20260131 as a day in that year.
    if scan.began is not None and not _BEGINS_WITH_A_DATE.match(scan.began):
        raise WrongUseError(f"--began: {A_TIME}, not {printable(scan.began, limit=64)!r}")
    try:
        return ScanStart.model_validate(
            {
                "collector": scan.collector,
                "targets": scan.targets,
                "exclude": scan.exclude,
                "profile": scan.profile,
                "began_at": scan.began,
            }
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        what = in_words(fault)
        place = str(fault["loc"][0]) if fault["loc"] else "exclude"
        if place in ("targets", "exclude") and (
            fault["type"] in {"string_pattern_mismatch", "string_too_long"} or "does not appear" in what
        ):
            what = f"{printable(str(fault['input']), limit=64)!r} {NO_NETWORK}"
        elif place == "collector":
            what = f"{printable(str(fault['input']), limit=64)!r} {_NO_COLLECTOR}"
        elif place == "began_at" and fault["type"] != "value_error":
            what = f"{what}, not {printable(str(fault['input']), limit=64)!r}"
        raise WrongUseError(f"{_DECLARED.get(place, '')}: {what}") from None


@command
async def report(client: ApiClient, common: Common, scan: Scan) -> ExitCode:
    """`dryrun production report FILE --collector NAME --targets CIDR --profile full`."""
    start = _start_of(scan)
    # Nothing is sent before an invalid line or network could end the command. A scan whose output comes
    # through a pipe begins before that is read.
    begun = None if may_be_read_again(scan.file) else await _begin(client, start)
    try:
        return await _report(client, common, scan, start, begun)
    except WrongUseError:
        # One that never ends would be waited for. That there was no output is the error that counts.
        if begun is not None:
            with suppress(CliError):
                await _end(client, begun, ScanEnd(complete=False))
        raise


async def _report(
    client: ApiClient, common: Common, scan: Scan, start: ScanStart, begun: ScanView | None
) -> ExitCode:
    counts = {"new": 0, "changed": 0, "returned": 0, "unchanged": 0, "approved": 0}
    scope = ScanScope(start)
    with readable_twice(scan.file) as file:
        with interruptible():
            output = ScanOutput(file, scan.file)
        if begun is None:
            _require_targets(scan.file, output, scope)
            begun = await _begin(client, start)
        for batch in _batches(scope.counting(output.discoveries())):
            body: JsonObject = {"collector": scan.collector, "scan": str(begun.id), "discoveries": [*batch]}
            if not output.whole:
                body["cut_off"] = True
            try:
                answer = await client.ask("POST", "/production/discoveries", body=body)
            except ApiRefusedError:
                # As on a day that is used up. What is sent again later is another scan.
                with suppress(CliError):
                    await _end(client, begun, ScanEnd(complete=False))
                raise
            received = read_object(answer, "a report")
            for name in counts:
                counts[name] += _number(received.get(name))
    warned = output.warnings and not scan.despite_warnings
    # What came through a pipe is gone if it is refused, as a file would be; it proves nothing instead.
    proves_nothing = warned or scope.is_elsewhere or scope.lies_in(output.not_covered)
    ended = ScanEnd(complete=output.whole and not proves_nothing, not_covered=output.not_covered)
    answer = await _end(client, begun, ended)
    view = read_word(ScanView, answer, "a scan")
    if not wrote_json(common, {**counts, "elsewhere": scope.outside, "scan": answer}):
        _say_received(counts, view, output, scope, was_whole=ended.complete)
    return ExitCode.OK if view.complete else ExitCode.NOT_COMPLETED


async def _begin(client: ApiClient, start: ScanStart) -> ScanView:
    begun = await client.ask("POST", "/production/scans", body=start.model_dump(mode="json"))
    return read_word(ScanView, begun, "a scan")


async def _end(client: ApiClient, begun: ScanView, ended: ScanEnd) -> JsonValue:
    body = ended.model_dump(mode="json")
    return await client.ask("POST", f"/production/scans/{begun.id}/end", body=body, seconds=END_SECONDS)


def _say_received(
    counts: dict[str, int], view: ScanView, output: ScanOutput, scope: ScanScope, *, was_whole: bool
) -> None:
    approved = counts.pop("approved")
    by_rules = f"; {approved} of them approved by rules" if approved else ""
    sys.stdout.write(", ".join(f"{number} {name}" for name, number in counts.items()) + by_rules + "\n")
    if view.complete:
        sys.stdout.write(f"{view.missed} missed, {view.gone} of them gone.\n")
        if view.not_covered:
            sys.stdout.write(f"Not inspected, so nothing there counts as missed: {some(view.not_covered)}.\n")
    elif was_whole:
        sys.stderr.write(
            f"Another client had ended the scan {view.id} as incomplete: nothing counts as missed. "
            "To have it count, report the output again.\n"
        )
    elif not output.whole:
        why = (
            "The collector did not finish"
            if output.promised is None
            else f"The end line counts {counted(output.promised, 'discovery', 'discoveries')}, "
            f"but the output has {output.count:,}"
        )
        sys.stderr.write(
            f"{why}: nothing counts as missed, and what it said with less certainty or "
            "fewer values than is known changes nothing.\n"
        )
    elif scope.lies_in(output.not_covered):
        sys.stderr.write(
            f"The end line says that the collector looked at nothing in {scope}: nothing counts as missed.\n"
        )
    elif not scope.is_elsewhere:
        often = "once" if output.warnings == 1 else f"{output.warnings} times"
        sys.stderr.write(
            f"The collector warned {often} that it could not inspect something: nothing "
            "counts as missed. To count all the same: --despite-warnings\n"
        )
    if scope.is_elsewhere:
        sys.stderr.write(
            f"No discovery lies in {scope}, and some lie elsewhere, such as {scope.example}: nothing counts "
            "as missed. To have it count, report with the targets that were scanned.\n"
        )
    elif scope.outside:
        many = counted(scope.outside, "discovery lies", "discoveries lie")
        sys.stderr.write(
            f"{many} elsewhere than in {scope}, such as {scope.example}. Check --targets and --exclude: "
            "everything that a scan does not find there counts as missed.\n"
        )


def _number(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
