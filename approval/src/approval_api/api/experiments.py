"""Routes: experiments, their results, stop and go on."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from approval_api.access.large_answers import ForecastTurn, ListTurn, ReportTurn
from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.checks.service import Checks
from approval_api.experiments import listing
from approval_api.experiments.comparison import compare
from approval_api.experiments.listing import ExperimentList
from approval_api.experiments.service import Experiments
from dryrun_contract.experiment import Experiment, ExperimentRequest
from dryrun_contract.experiment_results import ExperimentResults
from dryrun_contract.fact_history import FactHistory
from dryrun_contract.network_forecast import NetworkForecast

router = APIRouter(prefix="/experiments", tags=["experiments"])

_Text = Annotated[str, Query(min_length=1, max_length=500)]


def _experiments(request: Request) -> Experiments:
    experiments: Experiments = request.app.state.experiments
    return experiments


@router.post("", status_code=201)
async def request_experiment(
    request: Request, response: Response, person: Runner, wanted: ExperimentRequest
) -> Experiment:
    """Store an experiment; its sessions go through the queue like any others."""
    experiment = await _experiments(request).request(wanted, person.name)
    note(request, object_=str(experiment.id), detail=wanted.model_dump_json())
    response.headers["Location"] = f"/api/v1/dryrun/experiments/{experiment.id}"
    return experiment


@router.get("")
async def list_experiments(
    _: Reader,
    transaction: Transaction,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> ExperimentList:
    """List experiments, newest first."""
    return await listing.page(transaction, limit, cursor)


@router.get("/comparison")
async def compare_sessions(
    request: Request, _: Reader, _turn: ReportTurn, baseline: UUID, session: UUID
) -> ExperimentResults:
    """Compare two sessions as an experiment of two arms, which are named by the sessions' ids."""
    state = request.app.state
    return await compare(state.reports, state.calculations, baseline, session)


@router.get("/facts")
async def show_fact_history(
    request: Request,
    _: Reader,
    _turn: ListTurn,
    template: _Text,
    kind: _Text,
    key: _Text,
    attribute: Annotated[str | None, Query(min_length=1, max_length=120)] = None,
) -> FactHistory:
    """Show which versions of the collectors found a fact of a template, the one that ran last first."""
    return await _experiments(request).fact_history(template, (kind, key, attribute))


@router.get("/{experiment_id}")
async def show_experiment(experiment_id: UUID, request: Request, _: Reader) -> Experiment:
    """Show one experiment: its runs, and what they showed so far."""
    return await _experiments(request).show(experiment_id)


@router.get("/{experiment_id}/forecast")
async def show_experiment_forecast(
    experiment_id: UUID,
    request: Request,
    _: Reader,
    _turn: ForecastTurn,
    arm: Annotated[str | None, Query(max_length=120, description="By default the baseline")] = None,
) -> NetworkForecast:
    """Forecast the real network that the templates stand for, from all measured sessions of an arm."""
    seen = await _experiments(request).observations(experiment_id, arm)
    checks: Checks = request.app.state.checks
    return await checks.forecast_from(seen)


@router.post("/{experiment_id}/stop", status_code=202)
async def stop_experiment(experiment_id: UUID, request: Request, _: Runner) -> Experiment:
    """Start no more of its sessions; those under way end by themselves. Idempotent."""
    note(request, object_=str(experiment_id))
    return await _experiments(request).stop(experiment_id)


@router.post("/{experiment_id}/continue", status_code=202)
async def continue_experiment(experiment_id: UUID, request: Request, _: Runner) -> Experiment:
    """Continue a stopped experiment. Idempotent."""
    note(request, object_=str(experiment_id))
    return await _experiments(request).go_on(experiment_id)
