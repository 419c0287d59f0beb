"""Page: what may be started, drawn."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Reader
from approval_api.criteria.service import names as criteria_names
from approval_api.orchestrator.client import (
    OrchestratorClient,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
)
from approval_api.pages.rendering import page
from approval_api.pages.templates.coverage import CoveragePart, draw_coverage
from approval_api.pages.topology import Topology, draw
from approval_api.sessions.history import TypicalDuration, typical_durations
from approval_api.sessions.service import orchestrator_unavailable
from approval_api.web.problems import ProblemError
from dryrun_contract.template import TemplateSummary

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Card:
    """One template with what is drawn of it."""

    template: TemplateSummary
    topology: Topology
    typical: TypicalDuration | None
    coverage: tuple[CoveragePart, ...]
    """Of the real network that it stands for."""


@router.get("/dryrun/templates")
async def show_templates(request: Request, visitor: Reader) -> Response:
    """Show every template as a card."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    try:
        templates = await orchestrator.templates()
    except OrchestratorRefusedError as error:
        raise ProblemError.passing_on(error.problem) from error
    except OrchestratorUnavailableError as error:
        raise orchestrator_unavailable(error) from error
    async with request.app.state.engine.connect() as connection:
        typical = await typical_durations(connection)
        criteria = await criteria_names(connection)
    cards = [
        Card(
            template,
            draw(template.services),
            typical.get((template.id, template.digest)),
            draw_coverage(template.stands_for.levels) if template.stands_for else (),
        )
        for template in sorted(templates, key=lambda template: len(template.services))
    ]
    return page(request, "templates/templates.html", visitor, cards=cards, criteria=criteria)
