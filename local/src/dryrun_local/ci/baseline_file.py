"""Reads and writes baseline files, and says why one does not fit an experiment."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dryrun_cli.errors import WrongUseError
from dryrun_contract.baseline import BASELINE_BOUNDS, Baseline
from dryrun_contract.bounded_json import OutOfBoundsError, read_model
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.fault_words import in_words
from dryrun_contract.text import printable
from dryrun_local.machine.files import write_atomically

_MOST_FAULTS = 50
_HOW = "dryrun-local ci … --update-baseline, then commit the file"
UPDATE = f"to measure it again: {_HOW}"

type Digests = Mapping[str, Mapping[str, str]]
"""Template → seed → digest of what is to be found."""


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in a file. Raises WrongUseError with every fault and its place."""
    try:
        with path.open("rb") as file:
            content = file.read(BASELINE_BOUNDS.size + 1)
    except FileNotFoundError:
        raise WrongUseError(f"there is no baseline {path}; to measure it: {_HOW}") from None
    except OSError as error:
        raise WrongUseError(f"cannot read the baseline {path}: {error.strerror or error}") from error
    try:
        return read_model(Baseline, content, BASELINE_BOUNDS)
    except OutOfBoundsError as error:
        raise WrongUseError(f"{path} is not a baseline: it is {error}") from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [
            f"{printable('.'.join(map(str, fault['loc'])), limit=300) or 'the whole file'}: {in_words(fault)}"
            for fault in faults[:_MOST_FAULTS]
        ]
        if len(faults) > _MOST_FAULTS:
            lines.append(f"and {len(faults) - _MOST_FAULTS} more faults")
        raise WrongUseError("\n".join([f"{path} is not a baseline:", *lines, UPDATE])) from None


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a file that shows what changed, fact by fact, in a comparison of two versions."""
    write_atomically(path, _rendered(baseline))


def _rendered(baseline: Baseline) -> str:
    whole: dict[str, Any] = {"format": baseline.format, "version": baseline.version}
    whole |= baseline.model_dump(mode="json", exclude_defaults=True)
    arms = []
    for name, arm in whole.pop("arms").items():
        facts = ",\n".join(f"   {json.dumps(fact)}" for fact in arm.pop("facts"))
        head = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in arm.items())
        arms.append(f'  {json.dumps(name)}: {{{head}, "facts": [\n{facts}\n  ]}}')
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in whole.items()]
    every_arm = ",\n".join(arms)
    return ",\n".join(["{\n" + lines[0], *lines[1:], f' "arms": {{\n{every_arm}\n }}']) + "\n}\n"


def faults_of(baseline: Baseline, request: ExperimentRequest) -> list[str]:
    """Return why results of the experiment cannot be compared with the baseline; nothing has to run."""
    faults = []
    before = baseline.experiment
    for what in ("templates", "seeds"):
        own, others = sorted(getattr(request, what)), sorted(getattr(before, what))
        if own != others:
            words = f"the experiment has {_listed(own)}, and the baseline was measured on {_listed(others)}"
            faults.append(f"{what}: {words}")
    missing = [arm.name for arm in request.arms() if arm.name not in baseline.arms]
    if missing:
        known = _listed(list(baseline.arms))
        faults.append(f"arms: the baseline has {known}, and the experiment also {_listed(missing)}")
    return faults


def faults_of_digests(baseline: Baseline, digests: Digests) -> list[str]:
    """Return the templates that are others than those of the baseline: other facts would be compared."""
    faults = []
    for template, seeds in digests.items():
        before = baseline.templates.get(template, {})
        changed = [seed for seed, digest in seeds.items() if before.get(seed) != digest]
        if changed:
            seed = changed[0]
            faults.append(
                f"{template}: what is to be found there has changed since (seed {_listed(changed)}: "
                f"{before.get(seed, 'unknown')[:19]}… in the baseline, {seeds[seed][:19]}… now): "
                "its file, a fact of an image such as a version, or a credential"
            )
    return faults


def _listed(values: list[str] | list[int]) -> str:
    shown = ", ".join(printable(str(value), limit=100) for value in values[:20])
    return shown + (f" and {len(values) - 20} more" if len(values) > 20 else "")
