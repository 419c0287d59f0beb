"""Runs an experiment by the API, in plain lines for logs, and counts what its sessions found."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject
from dryrun_cli.api.reading_results import read_experiment, read_report
from dryrun_cli.drawing.experiment_view import time_left
from dryrun_cli.errors import ApiRefusedError
from dryrun_contract.experiment import Experiment, ExperimentRequest, ExperimentRun
from dryrun_contract.text import counted
from dryrun_local.ci.counting import ArmCount, Network
from dryrun_local.ci.truths import Truth
from dryrun_local.terminal.screen import Screen

_LOOK_SECONDS: Final = 1.0


@dataclass(slots=True)
class Measured:
    """What came of an experiment."""

    experiment_id: UUID
    sessions: int
    arms: dict[str, ArmCount]
    reasons: list[str] = field(default_factory=list)
    """Why sessions could not be measured."""


async def run_experiment(
    client: ApiClient,
    request: ExperimentRequest,
    truths: Mapping[Network, Truth],
    criteria: JsonObject | None,
    screen: Screen,
) -> Measured:
    """Run an experiment to its end and count. Whatever ends this earlier stops it. Raises CliError."""
    experiment = read_experiment(await client.request_experiment(request))
    try:
        screen.note(f"Experiment {experiment.id}: {counted(experiment.runs, 'session')}")
        experiment = await _wait(client, experiment, screen)
    except BaseException:  # also where nobody reads the output any more: it would start the next session
        await client.stop_experiment(experiment.id)
        raise
    measured = Measured(
        experiment.id, experiment.runs, {arm.name: ArmCount() for arm in experiment.request.arms()}
    )
    for run in experiment.run_list:
        if fault := await _count(client, run, truths, criteria, measured.arms[run.arm]):
            which = f"session {run.session_id or run.number} ({run.arm}, {run.template}, seed {run.seed})"
            measured.reasons.append(f"{which}: {fault}")
    return measured


async def _wait(client: ApiClient, experiment: Experiment, screen: Screen) -> Experiment:
    ended = 0
    while experiment.state == "running":
        await asyncio.sleep(_LOOK_SECONDS)
        experiment = read_experiment(await client.experiment(experiment.id))
        if experiment.measured + experiment.failed > ended:
            ended = experiment.measured + experiment.failed
            failed = f", {experiment.failed} failed" if experiment.failed else ""
            screen.note(f"{ended} of {experiment.runs} sessions{failed}", time_left(experiment))
    return experiment


async def _count(
    client: ApiClient,
    run: ExperimentRun,
    truths: Mapping[Network, Truth],
    criteria: JsonObject | None,
    arm: ArmCount,
) -> str:
    """Count one session; return why it could not be, or ""."""
    if run.state != "measured" or run.session_id is None:
        return run.reason or f"it is {run.state}"
    try:
        report = read_report(await client.report(run.session_id, criteria))
    except ApiRefusedError as error:
        return f"it has no report: {error}"
    truth = truths[run.template, run.seed]
    if report.template.digest != truth.digest:
        return "its template or an image was changed while the experiment ran"
    try:
        arm.add(run.template, truth.facts, report)
    except ValueError as error:
        return str(error)
    return ""
