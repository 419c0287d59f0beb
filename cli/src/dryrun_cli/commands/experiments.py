"""Commands on experiments: run, list, show, stop, continue."""

import asyncio
import math
import sys
import time
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_word
from dryrun_cli.api.reading_results import read_experiment
from dryrun_cli.api.session_ids import find_session_id
from dryrun_cli.commands.command import command, write, write_json, wrote_json
from dryrun_cli.commands.ids import checked_template, find_id, require_template
from dryrun_cli.commands.yaml_file import read_mapping
from dryrun_cli.drawing.experiment_view import (
    draw_comparison,
    draw_experiment,
    draw_experiments,
    time_left,
)
from dryrun_cli.drawing.fact_history_view import draw_history
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError, WrongUseError, nothing_named
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_contract.experiment import ExperimentRequest, ExperimentView
from dryrun_contract.experiment_results import ExperimentResults
from dryrun_contract.fact_history import FactHistory
from dryrun_contract.fault_words import in_words

LOOK_SECONDS: Final = 2.0
UNREACHABLE_LOOKS: Final = 30
"""The service may be restarted meanwhile, or have too many requests of this person; an experiment goes on."""
SUM_UP_SECONDS: Final = 600.0
"""Longest wait after the last session: what could not be summed up is tried again each minute."""
LISTED: Final = 100


@command
async def run(client: ApiClient, common: Common, path: Path, *, watch: bool) -> ExitCode:
    """`dryrun experiment run FILE`. The file is checked completely before anything is sent."""
    experiment = read_experiment(await client.request_experiment(read_request(path)))
    if watch:
        return await _watch_and_show(client, common, experiment.id)
    if common.json_output:
        write_json(await client.experiment(experiment.id))
    else:
        sys.stdout.write(f"{experiment.id}\n")
    return ExitCode.OK


def read_request(path: Path) -> ExperimentRequest:
    """Return the experiment in a file. Raises WrongUseError with every fault and its place."""
    loaded = read_mapping(path, "experiment", "expected at least TEMPLATES, as in templates: [small]")
    loaded.setdefault("name", path.stem[:80])
    try:
        return ExperimentRequest.model_validate(loaded)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'the whole file'}: {_in_words(fault)}"
            for fault in error.errors(include_url=False)
        ]
        raise WrongUseError("\n".join([f"{path} is not an experiment:", *faults])) from None


_NAMES: Final = {
    "templates": "is not a template's name (small letters, digits, hyphens; see: dryrun templates)",
    "collectors": "is not a collector's name (small letters, digits, hyphens)",
    "name": "has control characters, or is empty",
}


def _in_words(fault: ErrorDetails) -> str:
    field = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "string_pattern_mismatch":
        if "[key]" in fault["loc"]:
            return "is not a name for a choice of collectors (letters, digits, blanks, '.', '_', '-')"
        return _NAMES.get(field, "is not a name")
    if fault["type"] == "extra_forbidden":
        return f"is not known; known are {', '.join(ExperimentRequest.model_fields)}"
    if fault["type"] == "too_short":
        return "is empty"
    return in_words(fault)


@command
async def list_newest(client: ApiClient, common: Common) -> None:
    """`dryrun experiment list`."""
    answer = await client.experiments(LISTED)
    write(common, answer, lambda glyphs: draw_experiments(_views(answer), glyphs))


@command
async def show(client: ApiClient, common: Common, text: str, *, watch: bool) -> ExitCode:
    """`dryrun experiment show ID`."""
    experiment_id = await find_experiment_id(client, text)
    if watch:
        return await _watch_and_show(client, common, experiment_id)
    return _show(common, await client.experiment(experiment_id))


@command
async def compare(client: ApiClient, common: Common, baseline: str, session: str) -> None:
    """`dryrun experiment compare BASELINE SESSION`."""
    first, second = [await find_session_id(client, text) for text in (baseline, session)]
    if first == second:
        raise WrongUseError(f"both are session {first}; give another one as BASELINE (see: dryrun list)")
    answer = await client.ask(
        "GET", "/dryrun/experiments/comparison", params={"baseline": str(first), "session": str(second)}
    )
    write(
        common,
        answer,
        lambda glyphs: draw_comparison(read_word(ExperimentResults, answer, "a comparison"), glyphs),
    )


@command
async def history(
    client: ApiClient, common: Common, template: str, kind: str, key: str, attribute: str | None
) -> None:
    """`dryrun experiment history TEMPLATE KIND KEY`."""
    params = {"template": checked_template(template), "kind": kind, "key": key}
    if attribute is not None:
        params["attribute"] = attribute
    answer = await client.ask("GET", "/dryrun/experiments/facts", params=params)
    if not read_word(FactHistory, answer, "a fact's history").versions:
        await require_template(client, template)
    write(
        common,
        answer,
        lambda glyphs: draw_history(read_word(FactHistory, answer, "a fact's history"), glyphs),
    )


@command
async def stop(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun experiment stop ID`."""
    answer = await client.stop_experiment(await find_experiment_id(client, text))
    if not wrote_json(common, answer):
        experiment = read_experiment(answer)
        left = experiment.runs - experiment.measured - experiment.failed
        sys.stdout.write(
            f"It starts no further session; {left} of {experiment.runs} are left. "
            f"To continue: dryrun experiment continue {experiment.id}\n"
        )


@command
async def go_on(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun experiment continue ID`."""
    answer = await client.ask(
        "POST", f"/dryrun/experiments/{await find_experiment_id(client, text)}/continue"
    )
    if wrote_json(common, answer):
        return
    if (experiment := read_experiment(answer)).state == "done":
        sys.stdout.write("No session is left to start, and failed ones do not run again. To repeat all: ")
        sys.stdout.write("dryrun experiment run FILE\n")
    else:
        sys.stdout.write(f"It continues. To watch: dryrun experiment show {experiment.id} -w\n")


async def find_experiment_id(client: ApiClient, text: str) -> UUID:
    """Return the id of the experiment that people call `text`, as `find_id` does."""

    async def list_ids() -> list[UUID]:
        return [each.id for each in _views(await client.experiments(LISTED))]

    if text.strip().lower() != "last":
        return await find_id(text, list_ids, "experiment", "experiments")
    for newest in await list_ids():
        return newest
    raise nothing_named("experiment", "there is no experiment yet", "experiment run --help")


def _views(listed: list[JsonValue]) -> list[ExperimentView]:
    return [read_word(ExperimentView, each, "an experiment") for each in listed]


async def _watch_and_show(client: ApiClient, common: Common, experiment_id: UUID) -> ExitCode:
    try:
        await _wait_for_its_end(client, experiment_id)
    except asyncio.CancelledError:
        sys.stderr.write(
            f"Experiment {experiment_id} continues.\nTo see it: dryrun experiment show {experiment_id}\n"
        )
        raise
    return _show(common, await client.experiment(experiment_id))


async def _wait_for_its_end(client: ApiClient, experiment_id: UUID) -> None:
    errors = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[left]}"))
    unreachable, done_at, printed = 0, math.inf, ""
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("sessions", left="")
        while True:
            try:
                experiment = read_experiment(await client.experiment(experiment_id))
            except (ApiUnreachableError, ApiRefusedError) as error:
                if isinstance(error, ApiRefusedError) and not error.is_of_the_moment:
                    raise
                unreachable += 1
                if unreachable > UNREACHABLE_LOOKS:
                    raise
            else:
                unreachable = 0
                ended = experiment.measured + experiment.failed
                said = f"{ended} of {experiment.runs} sessions"
                progress.update(
                    bar, completed=ended, total=experiment.runs, description=said, left=time_left(experiment)
                )
                if not errors.is_terminal and said != printed:
                    printed = said
                    sys.stderr.write(f"{said}  {time_left(experiment)}".rstrip() + "\n")
                if experiment.state == "stopped" or (experiment.state == "done" and experiment.is_summed_up):
                    return
                if experiment.state == "done":
                    done_at = min(done_at, time.monotonic())
                if time.monotonic() - done_at > SUM_UP_SECONDS:
                    raise ApiUnreachableError(
                        f"all sessions of experiment {experiment_id} have ended, and the API has not summed "
                        f"them up within {SUM_UP_SECONDS:g} s; its log says why. To see it later: "
                        f"dryrun experiment show {experiment_id}"
                    )
            await asyncio.sleep(LOOK_SECONDS)


def _show(common: Common, answer: JsonValue) -> ExitCode:
    experiment = read_experiment(answer)
    write(common, answer, lambda glyphs: draw_experiment(experiment, glyphs))
    return ExitCode.NOT_COMPLETED if experiment.failed else ExitCode.OK
