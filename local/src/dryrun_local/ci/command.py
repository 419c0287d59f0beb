"""Runs an experiment on this machine, judges it by a baseline, and writes what a pipeline reads."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import JsonObject
from dryrun_cli.commands.criteria_file import read_checked, read_criteria
from dryrun_cli.commands.experiments import read_request
from dryrun_cli.drawing.safe_text import ascii_json
from dryrun_cli.errors import ApiRefusedError, CliError, WrongUseError
from dryrun_contract.baseline import Baseline, BaselineArm
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.problem import Problem
from dryrun_contract.text import counted
from dryrun_local.ci.baseline_file import UPDATE, faults_of, faults_of_digests, read_baseline, write_baseline
from dryrun_local.ci.counting import Network, runs_of_facts, tallies_of
from dryrun_local.ci.junit import junit
from dryrun_local.ci.measuring import Measured, run_experiment
from dryrun_local.ci.screen import show
from dryrun_local.ci.summary import annotations, summary
from dryrun_local.ci.truths import Truth, load_truths
from dryrun_local.ci.verdict import Verdict, can_be_lost, judge, runs_needed
from dryrun_local.images.commands import prepare
from dryrun_local.images.needed import for_experiment, images_of
from dryrun_local.machine.engine_view import open_engine
from dryrun_local.machine.errors import LocalError, NotWrittenError
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import Installation
from dryrun_local.runs import sessions
from dryrun_local.system.launch import System, running_system, sole_run
from dryrun_local.terminal.interruption import Interruption
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings

PASSED, REGRESSED, WRONG_USE, NOT_MEASURED = 0, 1, 2, 3
_EXITS = {"passed": PASSED, "regressed": REGRESSED, "not_measured": NOT_MEASURED}


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command: files to read, and files to write."""

    experiment: Path
    baseline: Path
    criteria: Path | None = None
    junit: Path | None = None
    summary: Path | None = None
    json: Path | None = None
    update_baseline: bool = False


class Ci:
    """One run of `dryrun-local ci`."""

    def __init__(
        self, installation: Installation, options: Options, screen: Screen, timings: Timings
    ) -> None:
        self._installation = installation
        self._options = options
        self._screen = screen
        self._timings = timings
        self._began = time.monotonic()

    async def run(self, interruption: Interruption) -> int:
        """Return 0 passed, 1 regressed, 2 a file is wrong, 3 not measured, or 128 + a signal's number."""
        try:
            request, baseline = self._read_files()
            verdict = await self._measure(request, baseline)
        except WrongUseError as error:
            return self._failed(error, WRONG_USE)
        except (LocalError, CliError, OSError) as error:  # a full disk is no regression either
            return self._failed(error, NOT_MEASURED)
        except asyncio.CancelledError:
            if interruption.number is None:
                raise
            return 128 + interruption.number
        self._write(verdict)
        show(verdict, self._screen)
        return _EXITS[verdict.state]

    def _failed(self, error: Exception, code: int) -> int:
        """Write the failure where a pipeline looks for results, and return the exit code."""
        words = str(error)
        if isinstance(error, ApiRefusedError):
            words = "\n".join([words, *(f"{each.where}: {each.what}" for each in error.problem.faults)])
        name, reasons = self._options.experiment.stem, tuple(words.splitlines())
        self._write(Verdict(experiment=name, state="not_measured", reasons=reasons))
        self._screen.warn(words)
        return code

    def _read_files(self) -> tuple[ExperimentRequest, Baseline | None]:
        """Read every file before anything is built; the faults of all of them are reported together."""
        options = self._options
        faults: list[str] = []
        request = _read(read_request, options.experiment, faults)
        baseline = None if options.update_baseline else _read(read_baseline, options.baseline, faults)
        if options.criteria is not None:
            _read(read_criteria, options.criteria, faults)
        if request is not None and baseline is not None and (others := faults_of(baseline, request)):
            faults += [f"{options.baseline} does not fit {options.experiment}:", *others, UPDATE]
        if request is None or faults:
            raise WrongUseError("\n".join(faults))
        return request, baseline

    async def _measure(self, request: ExperimentRequest, baseline: Baseline | None) -> Verdict:
        self._installation = for_experiment(self._installation, request)
        needed = images_of(self._installation, request.templates, request.seeds)
        async with open_engine(os.environ) as engine:
            # First: without one nothing else is worth starting.
            await engine.get("/version")
        async with (
            sole_run(self._installation, self._screen),
            running_system(
                self._installation,
                timings=self._timings,
                prepare_images=partial(prepare, self._installation, self._screen, only=needed),
            ) as system,
        ):
            return await system.beside(self._rehearse(system, request, baseline))

    async def _rehearse(
        self,
        system: System,
        request: ExperimentRequest,
        baseline: Baseline | None,
    ) -> Verdict:
        truths = load_truths(self._installation, request.templates, request.seeds)
        if baseline is not None:
            self._require_comparable(baseline, request, truths)
        async with open_client(system.client_settings()) as client:
            file = self._options.criteria
            criteria = None if file is None else await read_checked(client, file)
            await sessions.stop_earlier(client, self._screen)
            self._screen.done(
                "Services are ready", f"{time.monotonic() - self._began:.1f} s after the command"
            )
            measured = await self._run(client, request, truths, criteria)
        if baseline is None and not measured.reasons:
            self._update(request, truths, measured)
        before = _own(measured) if baseline is None else baseline.arms
        return judge(request.name, before, measured.arms, measured.sessions, measured.reasons)

    async def _run(
        self,
        client: ApiClient,
        request: ExperimentRequest,
        truths: Mapping[Network, Truth],
        criteria: JsonObject | None,
    ) -> Measured:
        try:
            return await run_experiment(client, request, truths, criteria, self._screen)
        except ApiRefusedError as error:
            raise _of_the_file(error, self._options.experiment) from error
        finally:
            # Also after an error or Ctrl-C: none of its sessions may outlive the services.
            await sessions.end_all(client, self._screen)

    def _require_comparable(
        self, baseline: Baseline, request: ExperimentRequest, truths: Mapping[Network, Truth]
    ) -> None:
        if faults := faults_of_digests(baseline, _digests(truths)):
            raise WrongUseError(
                "\n".join([f"{self._options.baseline} is about other templates:", *faults, UPDATE])
            )
        runs = runs_of_facts({key: truth.facts for key, truth in truths.items()}, request.repetitions)
        for arm in request.arms():
            before = tallies_of(baseline.arms[arm.name])
            always = {name: tally for name, tally in before.items() if tally.found == tally.of}
            if any(can_be_lost(tally, runs.get(name, 0)) for name, tally in always.items()):
                continue
            least = min(filter(None, map(runs_needed, always.values())), default=None)
            if least is None:
                raise WrongUseError(
                    f"{arm.name}: no fact was found in all runs of the baseline; none can be lost; {UPDATE}"
                )
            raise WrongUseError(
                f"{arm.name}: too few runs ({counted(request.repetitions, 'repetition')} on "
                f"{counted(len(request.seeds), 'seed')}): beside the {baseline.arms[arm.name].runs} runs of "
                "the baseline, chance could explain even a fact that is never found again; "
                f"repetitions times seeds must be at least {least}"
            )

    def _update(
        self, request: ExperimentRequest, truths: Mapping[Network, Truth], measured: Measured
    ) -> None:
        path = self._options.baseline
        write_baseline(path, Baseline(experiment=request, templates=_digests(truths), arms=_own(measured)))
        facts = sum(len(arm.facts) for arm in measured.arms.values())
        self._screen.done(f"{path} has {facts} facts of {measured.sessions} sessions; commit it")

    def _write(self, verdict: Verdict) -> None:
        options = self._options
        seconds = time.monotonic() - self._began
        for path, text in (
            (options.junit, junit(verdict, seconds, datetime.now(UTC))),
            (options.summary, summary(verdict)),
            (options.json, ascii_json(verdict.model_dump(mode="json"), indent=1) + "\n"),
        ):
            if path is not None:
                try:
                    write_atomically(path, text)
                except NotWrittenError as error:
                    self._screen.warn(str(error))
        if os.environ.get("GITHUB_ACTIONS") == "true":
            sys.stdout.write("".join(f"{line}\n" for line in annotations(verdict)))


def _read[T](read: Callable[[Path], T], path: Path, faults: list[str]) -> T | None:
    """Return what is read from a file; None, and a line more of `faults`, for one that is wrong."""
    try:
        return read(path)
    except WrongUseError as error:
        faults.append(str(error))
        return None


def _own(measured: Measured) -> dict[str, BaselineArm]:
    return {name: arm.baseline() for name, arm in measured.arms.items() if arm.runs}


def _digests(truths: Mapping[Network, Truth]) -> dict[str, dict[str, str]]:
    digests: dict[str, dict[str, str]] = {}
    for (template, seed), truth in truths.items():
        digests.setdefault(template, {})[str(seed)] = truth.task_digest
    return digests


def _of_the_file(error: ApiRefusedError, path: Path) -> CliError:
    """Return a refusal of the experiment as an error of its file; others as they are."""
    problem: Problem = error.problem
    if problem.status not in {404, 422}:
        return error
    faults = [f"{each.where}: {each.what}" for each in problem.faults]
    return WrongUseError("\n".join([f"{path}: {error}", *faults]))
