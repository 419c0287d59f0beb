"""The command before anything is started: every fault of every file, and the exit codes."""

import errno
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dryrun_cli.errors import WrongUseError
from dryrun_contract.baseline import Baseline, BaselineArm, FactCount
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_local.ci.command import Ci, Options
from dryrun_local.ci.truths import Truth
from dryrun_local.machine.installation import Installation
from dryrun_local.main import app
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings


@pytest.fixture
def ci(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path / "state"))

    def run(*options):
        files = ("--experiment", "bench.yml", "--baseline", "baseline.json", "--junit", "out/report.xml")
        return CliRunner().invoke(app, ["ci", *files, "--json", "out.json", *options], env={"COLUMNS": "300"})

    return run


TEN_MISTAKES = """
name: "a\\u001bb"
templates: [Small, ../etc]
seeds: [1, 10000, two]
repetitions: 51
collectors: {"<b>": [network], ours: []}
profiles: [loud]
rates: [0]
image: evil
"""


def test_ten_mistakes_in_two_files_are_reported_at_once_and_nothing_starts(ci, tmp_path):
    (tmp_path / "bench.yml").write_text(TEN_MISTAKES)
    (tmp_path / "criteria.yml").write_text("- a list\n")
    (tmp_path / "baseline.json").write_text('{"format": "dryrun-baseline", "version": 9}')
    done = ci("--criteria", "criteria.yml")
    assert done.exit_code == 2, done.output
    for place in (
        "name: ",
        "templates.0: ",
        "templates.1: ",
        "seeds.1: ",
        "seeds.2: ",
        "repetitions: ",
        "collectors.<b>.[key]: ",
        "collectors.ours: ",
        "profiles.0: ",
        "rates.0: ",
        "image: ",
        "baseline.json is not a baseline:",
        "version: ",
        "arms: ",
        "criteria.yml has no criteria",
    ):
        assert place in done.output, done.output
    assert not (tmp_path / "state").exists(), "nothing was started"
    assert json.loads((tmp_path / "out.json").read_text())["state"] == "not_measured"
    assert "is not a baseline" in (tmp_path / "out" / "report.xml").read_text(), "the pipeline shows why"


def test_a_baseline_that_is_missing_says_how_to_make_one(ci, tmp_path):
    (tmp_path / "bench.yml").write_text("templates: [small]\n")
    done = ci()
    assert done.exit_code == 2
    assert "there is no baseline baseline.json; to measure it: " in done.output
    assert "--update-baseline" in done.output


def test_a_template_that_is_not_there_is_named_with_those_that_are(ci, tmp_path):
    (tmp_path / "bench.yml").write_text("templates: [smal]\n")
    done = ci("--update-baseline")
    assert done.exit_code == 3
    assert "there is no template smal; there are" in done.output
    assert "small" in done.output


def test_without_an_engine_it_could_not_be_measured_which_is_no_regression(ci, tmp_path, monkeypatch):
    (tmp_path / "bench.yml").write_text("templates: [small]\n")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    done = ci("--update-baseline")
    assert done.exit_code == 3, done.output
    assert "dryrun-local doctor" in done.output
    assert not (tmp_path / "baseline.json").exists()


def test_on_a_full_disk_it_could_not_be_measured_either(ci, tmp_path, monkeypatch):
    async def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "logs/orchestrator.log")

    (tmp_path / "bench.yml").write_text("templates: [small]\n")
    monkeypatch.setattr(Ci, "_measure", fails)
    done = ci("--update-baseline")
    assert done.exit_code == 3, done.output
    (reason,) = json.loads((tmp_path / "out.json").read_text())["reasons"]
    assert reason.endswith("No space left on device: 'logs/orchestrator.log'")


DIGESTS = {seed: f"sha256:{seed:064d}" for seed in (0, 1)}


def required(baseline_runs, repetitions, digest=DIGESTS[1]):
    """Compare an experiment on two seeds with a baseline that always found its only fact."""
    request = ExperimentRequest(
        name="bench",
        templates=("small",),
        seeds=(0, 1),
        repetitions=repetitions,
        collectors={"ours": ("network",)},
    )
    fact = FactCount(template="small", kind="host", key="web", found=baseline_runs, of=baseline_runs)
    baseline = Baseline(
        experiment=request,
        templates={"small": {"0": DIGESTS[0], "1": DIGESTS[1]}},
        arms={"ours": BaselineArm(collectors={}, runs=baseline_runs, facts=(fact,))},
    )
    facts = GroundTruth(facts=(Fact(kind="host", key="web"),))
    truths = {
        ("small", seed): Truth("sha256:of-the-images", each, facts)
        for seed, each in ((0, DIGESTS[0]), (1, digest))
    }
    files = Options(Path("bench.yml"), Path("baseline.json"))
    Ci(Installation.here(), files, Screen(), Timings())._require_comparable(baseline, request, truths)


def test_a_baseline_of_another_digest_is_refused_and_says_what_to_do():
    required(10, 1)
    with pytest.raises(WrongUseError) as raised:
        required(10, 1, digest="sha256:" + "f" * 64)
    first, fault, next_step = str(raised.value).splitlines()
    assert first == "baseline.json is about other templates:"
    assert fault.startswith("small: what is to be found there has changed since (seed 1: sha256:000")
    assert "--update-baseline" in next_step


def test_an_experiment_that_could_not_fail_is_refused_with_what_it_would_take():
    required(10, 1)
    with pytest.raises(
        WrongUseError, match=r"too few runs \(1 repetition on 2 seeds\): .* must be at least 4"
    ):
        required(3, 1)
    required(3, 2)
