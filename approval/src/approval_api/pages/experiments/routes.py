"""Pages: the list of experiments with a form for a new one, and one experiment."""

import re
from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.criteria.service import names as criteria_names
from approval_api.experiments import listing
from approval_api.experiments.service import Experiments
from approval_api.orchestrator.client import OrchestratorClient
from approval_api.pages.experiments.view import drawn
from approval_api.pages.forms import Form, SentForm, validated, wrong
from approval_api.pages.rendering import page, see_other
from dryrun_contract.experiment import ExperimentRequest

router = APIRouter(prefix="/dryrun/experiments", include_in_schema=False)

_PER_PAGE = 20
_NUMBERS = re.compile(r"[0-9]{1,7}(?:-[0-9]{1,7})?")
_MOST_NUMBERS = 100
_NOT_ONE = "This is not an experiment"


def _experiments(request: Request) -> Experiments:
    experiments: Experiments = request.app.state.experiments
    return experiments


@router.get("")
async def list_experiments(request: Request, visitor: Reader, cursor: str | None = None) -> Response:
    """Show experiments, newest first, and the form for a new one."""
    async with request.app.state.engine.connect() as connection:
        listed = await listing.page(connection, _PER_PAGE, cursor)
        criteria = await criteria_names(connection)
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    return page(
        request,
        "experiments/experiments.html",
        visitor,
        experiments=listed.experiments,
        next=listed.next,
        cursor=cursor,
        templates=await orchestrator.template_ids(),
        criteria=criteria,
    )


@router.post("", name="request_experiment")
async def request_experiment(request: Request, visitor: Runner, form: SentForm) -> Response:
    """Store an experiment and go to its page."""
    wanted = validated(ExperimentRequest, _request_of(form), _NOT_ONE)
    experiment = await _experiments(request).request(wanted, visitor.name)
    note(request, object_=str(experiment.id), detail=wanted.model_dump_json())
    return see_other(f"/dryrun/experiments/{experiment.id}")


@router.get("/{experiment_id}")
async def show_experiment(experiment_id: UUID, request: Request, visitor: Reader) -> Response:
    """Show one experiment: figures of each arm, differences, and its sessions."""
    experiment = await _experiments(request).show(experiment_id)
    return page(
        request,
        "experiments/experiment.html",
        visitor,
        experiment=experiment,
        drawn=None if experiment.results is None else drawn(experiment.results),
    )


def _request_of(form: Form) -> dict[str, object]:
    return {
        "name": form.one("name"),
        "templates": form.all("templates"),
        "seeds": _numbers(form.one("seeds", "0"), "Seeds"),
        "repetitions": form.one("repetitions", "1") or "1",
        "collectors": _choices(form.raw("collectors")),
        "profiles": form.all("profiles"),
        "rates": _numbers(form.one("rates"), "Rates"),
        "criteria": form.one("criteria") or None,
    }


def _numbers(text: str, field: str) -> list[int]:
    """Read `0-4, 7`. Raises ProblemError for anything else, and for more than `_MOST_NUMBERS`."""
    numbers: list[int] = []
    for part in re.split(r"[,\s]+", text.strip()) if text.strip() else ():
        if not _NUMBERS.fullmatch(part):
            raise wrong(f"{field}: expected numbers such as 0-4, 7", _NOT_ONE)
        first, _, last = part.partition("-")
        span = range(int(first), int(last or first) + 1)
        if len(numbers) + len(span) > _MOST_NUMBERS:
            raise wrong(f"{field}: at most {_MOST_NUMBERS} numbers are allowed", _NOT_ONE)
        numbers.extend(span)
    return numbers


def _choices(text: str) -> dict[str, list[str]]:
    """Read lines of `NAME: collector, collector`. Raises ProblemError."""
    choices: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, names = line.partition(":")
        if not colon or name.strip() in choices:
            raise wrong(
                "Ways to scan: expected lines such as “ours: network, database”, each name once", _NOT_ONE
            )
        choices[name.strip()] = [each for each in re.split(r"[,\s]+", names) if each]
    return choices
