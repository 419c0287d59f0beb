"""Two versions of one scanner in an experiment: exactly what the second lost is named, whatever is killed.

`DRYRUN_SEEDS=5 DRYRUN_REPETITIONS=3` is the long variant: 30 sessions for each pair, 20 for one version under
two names.
"""

import asyncio
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from local_stack import ROOT

from dryrun_cli.api.reading_results import read_experiment
from dryrun_contract.experiment import ExperimentRequest
from dryrun_local.images.building import pin
from dryrun_local.images.folder_build import allowlist_entry, inspect_images
from dryrun_local.images.folders import load_folders

SCANNERS = Path(__file__).with_name("scanners")
SEEDS = tuple(range(int(os.environ.get("DRYRUN_SEEDS", "2"))))
REPETITIONS = int(os.environ.get("DRYRUN_REPETITIONS", "2"))
SECONDS_A_SESSION = 90
only_at_length = pytest.mark.skipif(len(SEEDS) < 5, reason="needs five seeds: make nightly")


@pytest.fixture
async def installed(tmp_path, docker):
    """Give the settings under which both pairs of scanners are installed."""
    folders = load_folders(ROOT, added=[SCANNERS])
    own = {each.manifest.image: each for each in folders.values() if SCANNERS in each.path.parents}
    for image, folder in own.items():
        docker("build", "--tag", image, str(folder.path), seconds=300)
    built = await inspect_images(own)
    allowlist, manifests = tmp_path / "allowlist.json", tmp_path / "manifests"
    shutil.copy2(ROOT / ".dryrun" / "allowlist.json", allowlist)
    pin(allowlist, {image: allowlist_entry(own[image].manifest, built[image], {}) for image in own})
    shutil.copytree(ROOT / "collectors" / "manifests", manifests)
    shutil.copytree(SCANNERS / "manifests", manifests, dirs_exist_ok=True)
    yield {"ORCHESTRATOR_ALLOWLIST": str(allowlist), "ORCHESTRATOR_COLLECTORS_DIR": str(manifests)}
    for image in own:
        docker("image", "rm", "--force", image)


async def run(stack, collectors, template="small", *, seeds=SEEDS, repetitions=REPETITIONS, at_half=None):
    """Run an experiment to its end; `at_half` is done once when half of it is measured."""
    request = ExperimentRequest(
        name="versions", templates=(template,), seeds=seeds, repetitions=repetitions, collectors=collectors
    )
    experiment = read_experiment(await stack.client.request_experiment(request))
    deadline = time.monotonic() + SECONDS_A_SESSION * experiment.runs
    while experiment.state == "running" or not experiment.is_summed_up:
        assert time.monotonic() < deadline, f"{experiment.measured} of {experiment.runs} after {deadline} s"
        await asyncio.sleep(1)
        experiment = read_experiment(await stack.client.experiment(experiment.id))
        if at_half is not None and experiment.measured >= experiment.runs // 2:
            await at_half()
            at_half = None
    return experiment


def named(experiment, judgement):
    (contrast,) = experiment.results.contrasts
    return {
        (each.kind, each.key, each.attribute) for each in contrast.differences if each.judgement == judgement
    }


def keep(experiment, name):
    if folder := os.environ.get("DRYRUN_KEEP"):
        Path(folder, f"{name}.json").write_text(experiment.model_dump_json(indent=1))


@pytest.mark.engine
@pytest.mark.long(175)
@pytest.mark.timeout(3600)
async def test_a_version_that_lost_a_service_is_named_though_everything_is_killed_meanwhile(
    installed, start_stack, quick
):
    stack = await start_stack(**installed, **quick)

    async def kill_both():
        await asyncio.gather(stack.api.kill(), stack.orchestrator.kill())
        await asyncio.gather(stack.orchestrator.start(), stack.api.start())

    arms = {"ours": ("network",), "patched": ("network-patched",)}
    experiment = await run(stack, arms, "quick", at_half=kill_both)
    keep(experiment, "versions")
    planned = 2 * len(SEEDS) * REPETITIONS
    assert (experiment.measured, experiment.failed) == (planned, 0)
    sessions = {run.session_id for run in experiment.run_list}
    assert len(sessions) == planned, "no session is counted twice"
    listed = [json.dumps(each) async for each in stack.client.sessions()]
    assert len(listed) == planned, "and none was started beside them"
    lost, gained = named(experiment, "lost"), named(experiment, "gained")
    assert {key for _, key, _ in lost} == {"cache:6379/tcp"}
    assert ("service", "cache:6379/tcp", None) in lost
    assert gained == set()


@pytest.mark.engine
@pytest.mark.long(175)
@pytest.mark.timeout(3600)
@only_at_length
async def test_another_table_of_probes_loses_the_versions_that_it_no_longer_reads(installed, start_stack):
    stack = await start_stack(**installed)
    experiment = await run(stack, {"plain": ("nmap",), "patched": ("nmap-patched",)})
    keep(experiment, "probes")
    assert (experiment.measured, experiment.failed) == (2 * len(SEEDS) * REPETITIONS, 0)
    lost = {("service", "web:80/tcp", "version"), ("service", "web:443/tcp", "version")}
    assert (named(experiment, "lost"), named(experiment, "gained")) == (lost, set())


@pytest.mark.engine
@pytest.mark.long(175)
@pytest.mark.timeout(3600)
@only_at_length
async def test_one_version_under_two_names_differs_in_nothing(installed, start_stack):
    stack = await start_stack(**installed)
    arms = {"one": ("network",), "the same": ("network-again",)}
    experiment = await run(stack, arms, seeds=range(5), repetitions=2)
    keep(experiment, "same")
    assert (experiment.measured, experiment.failed) == (20, 0)
    (contrast,) = experiment.results.contrasts
    assert {each.judgement for each in contrast.differences} <= {"unclear"}
    assert not [each for each in (*contrast.rows, *contrast.false_positives) if each.is_clear]
