"""Routes: templates that may be started. The orchestrator owns them; their ground truth is never shown."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from approval_api.access.permission import Reader
from approval_api.orchestrator.client import (
    OrchestratorClient,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
)
from approval_api.sessions.service import orchestrator_unavailable
from approval_api.web.problems import ProblemError
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
    try:
        return TemplateList(templates=await orchestrator.templates())
    except OrchestratorRefusedError as error:
        raise ProblemError.passing_on(error.problem) from error
    except OrchestratorUnavailableError as error:
        raise orchestrator_unavailable(error) from error


@router.get("/{template_id}")
async def show_template(
    template_id: Annotated[str, Path(pattern=TEMPLATE_ID)], request: Request, _: Reader
) -> TemplateSummary:
    """Show one template, without its ground truth."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    try:
        template = await orchestrator.template(template_id)
    except OrchestratorRefusedError as error:
        raise ProblemError.passing_on(error.problem) from error
    except OrchestratorUnavailableError as error:
        raise orchestrator_unavailable(error) from error
    return TemplateSummary(**template.model_dump(exclude={"ground_truth"}))
