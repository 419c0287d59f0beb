"""Routes of production's scans: what each covered, and so what it can prove absent."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Collecting, Reader
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.production import intake, scans
from approval_api.identity.person import Person
from approval_api.web.problems import ProblemError
from dryrun_contract.production import ScanEnd, ScanList, ScanStart, ScanView
from dryrun_contract.text import counted

router = APIRouter(prefix="/production/scans", tags=["production"])


@router.post("", status_code=201)
async def begin_scan(
    request: Request, response: Response, reporting: Collecting, transaction: Transaction, start: ScanStart
) -> ScanView:
    """Begin a scan: send its `id` along with its discoveries, then its end."""
    require_collector(reporting, start.collector)
    await intake.require_room(request, transaction, reporting.name)
    scan = await scans.begin(transaction, start, reporting.name)
    await intake.count(transaction, reporting.name, intake.bytes_of(scan))
    targets = counted(len(scan.targets), "target")
    note(request, object_=str(scan.id), detail=f"{scan.collector}, {scan.profile}: {targets}")
    response.headers["Location"] = f"/api/v1/production/scans/{scan.id}"
    return scan


@router.get("")
async def list_scans(_: Reader, _turn: ListTurn, transaction: Transaction) -> ScanList:
    """List the newest scans, newest first."""
    return ScanList(scans=tuple(await scans.newest(transaction)))


@router.get("/{scan_id}")
async def show_scan(scan_id: UUID, _: Reader, transaction: Transaction) -> ScanView:
    """Show one scan."""
    return await _require(transaction, scan_id)


@router.post("/{scan_id}/end")
async def end_scan(
    scan_id: UUID, request: Request, reporting: Collecting, transaction: Transaction, ended: ScanEnd
) -> ScanView:
    """End a scan. What a complete scan covered and did not report is missed, and gone after several.

    Idempotent: an ended scan is answered as it ended.
    """
    scan = await require_scan(transaction, scan_id, reporting)
    if scan.ended_at is not None:
        await intake.require_room(request, transaction, reporting.name)
    gone_after: int = request.app.state.settings.gone_after_scans
    scan, history = await scans.end(transaction, scan, ended, gone_after)
    await intake.count(transaction, reporting.name, history + intake.bytes_of(scan))
    state = "complete" if scan.complete else "incomplete"
    note(request, object_=str(scan_id), detail=f"{state}: {scan.missed} missed, {scan.gone} gone")
    return scan


def require_collector(reporting: Person, collector: str) -> None:
    """Raise a 403 problem when this token may not report as `collector`."""
    if reporting.collectors is not None and collector not in reporting.collectors:
        named = ", ".join(sorted(reporting.collectors))
        may = f"may report as {named}, not" if named else "names no collector, so it cannot report"
        raise ProblemError(
            "not-this-collector",
            403,
            f"this token {may} as {collector!r}; create one on the page of your account that may report "
            f"production discoveries, with {collector!r} under “Reports as”",
            title="Not allowed",
        )


async def require_scan(connection: AsyncConnection, scan_id: UUID, reporting: Person) -> ScanView:
    """Return a scan that this token may report of. Raises ProblemError: 404, 403."""
    scan = await _require(connection, scan_id)
    require_collector(reporting, scan.collector)
    return scan


async def _require(connection: AsyncConnection, scan_id: UUID) -> ScanView:
    scan = await scans.find(connection, scan_id)
    if scan is None:
        raise ProblemError(
            "unknown-scan",
            404,
            f"there is no scan {scan_id}; POST /api/v1/production/scans begins one",
            title="Unknown scan",
        )
    return scan
