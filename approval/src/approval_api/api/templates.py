"""Routes: templates that may be started. The orchestrator owns them; their ground truth is never shown."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from approval_api.access.permission import Reader
from approval_api.orchestrator.client import OrchestratorClient
from dryrun_contract.base import Word
from dryrun_contract.template import TEMPLATE_ID, TemplateSummary

router = APIRouter(prefix="/templates", tags=["templates"])


class TemplateList(Word):
    """All templates the operator installed."""

    templates: tuple[TemplateSummary, ...]


@router.get("")
async def list_templates(request: Request, _: Reader) -> TemplateList:
    """List the templates."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    return TemplateList(templates=await orchestrator.templates())


@router.get("/{template_id}")
async def show_template(
    template_id: Annotated[str, Path(pattern=TEMPLATE_ID)], request: Request, _: Reader
) -> TemplateSummary:
    """Show one template, without its ground truth."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    template = await orchestrator.template(template_id)
    return TemplateSummary(**template.model_dump(exclude={"ground_truth"}))
