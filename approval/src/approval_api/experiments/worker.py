"""The process in which experiments are measured and summed up: hostile text stays out of the server."""

import json
import zlib

from approval_api.computing.worker_loop import Task, serve
from approval_api.experiments.alone import for_comparison, runs_alone
from approval_api.experiments.measure import Measured, measure
from approval_api.experiments.plan import planned_run
from approval_api.experiments.results import beside, summarize
from approval_api.experiments.runs import Run
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.report import Report


def measure_kept(kept: bytes) -> tuple[bytes, ...]:
    """Return what to keep of a report, which is compressed; `null` when it has no scores."""
    measured = measure(Report.model_validate_json(zlib.decompress(kept)))
    return (b"null" if measured is None else measured.model_dump_json().encode("utf-8", "replace"),)


def sum_up(request: bytes, measured: bytes) -> tuple[bytes, ...]:
    """Return results; `measured` has a run a line: its number, a blank, and what was kept of it."""
    wanted = ExperimentRequest.model_validate_json(request)
    runs = []
    for line in measured.splitlines():
        number, _, text = line.partition(b" ")
        plan = planned_run(wanted, int(number))
        runs.append(
            Run(plan.arm.name, plan.template, plan.seed, plan.repetition, Measured.model_validate_json(text))
        )
    return (json.dumps(summarize(wanted, runs).model_dump(mode="json")).encode(),)


def compare_two(*kept: bytes) -> tuple[bytes, ...]:
    """Return two reports, which are compressed, as an experiment of two arms.

    Where scores are missing, return a list of the sessions without: the id of each, and why.
    """
    reports = [Report.model_validate_json(zlib.decompress(each)) for each in kept]
    runs, without = [], []
    for report in reports:
        measured = measure(report)
        if measured is None:
            without.append((str(report.session.id), report.scores_missing or "its report does not say why"))
            continue
        template = report.template
        runs.append(Run(str(report.session.id), template.id, template.seed, 0, measured))
    if without:
        return (json.dumps(without).encode(),)
    before, after = reports
    first, second = runs
    alone = [runs_alone(before, after, name) for name in for_comparison(*reports)]
    return (beside(first, second, alone).model_dump_json().encode("utf-8", "replace"),)


_TASKS: dict[bytes, Task] = {b"measure": measure_kept, b"sum up": sum_up, b"compare": compare_two}


def main() -> None:
    """Serve until standard input ends."""
    serve(_TASKS, "an experiment's work failed")


if __name__ == "__main__":
    main()
