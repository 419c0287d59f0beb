"""Route: the hosts that sessions run on."""

from fastapi import APIRouter, Request

from approval_api.access.permission import Reader
from approval_api.orchestrator.client import OrchestratorClient
from dryrun_contract.fleet import Fleet

router = APIRouter(prefix="/hosts", tags=["sessions"])


@router.get("")
async def show_hosts(request: Request, _: Reader) -> Fleet:
    """Show the hosts of the fleet and what stands on each; none where there is no fleet."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    return await orchestrator.fleet()
