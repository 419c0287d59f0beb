"""Route: what is prepared ahead."""

from fastapi import APIRouter, Request

from approval_api.access.permission import Reader
from approval_api.orchestrator.client import OrchestratorClient
from dryrun_contract.pool import Pool

router = APIRouter(prefix="/pool", tags=["sessions"])


@router.get("")
async def show_pool(request: Request, _: Reader) -> Pool:
    """Show the sessions that are prepared ahead; a start of the same template and seed takes one."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    return await orchestrator.pool()
