"""An experiment of a pipeline whose sessions do not all end: nothing of the others is lost."""

import asyncio
from types import SimpleNamespace as Made
from uuid import UUID

import pytest

from dryrun_contract.baseline import BaselineArm, FactCount
from dryrun_contract.experiment import Experiment, ExperimentRequest
from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_local.ci import measuring
from dryrun_local.ci.measuring import run_experiment
from dryrun_local.ci.truths import Truth
from dryrun_local.ci.verdict import judge
from dryrun_local.terminal.screen import Screen

REQUEST = ExperimentRequest(
    name="bench",
    templates=("small",),
    repetitions=4,
    collectors={"ours": ("network",), "theirs": ("masscan",)},
)
FACTS = GroundTruth(facts=(Fact(kind="host", key="web"),))
TRUTHS = {("small", 0): Truth("sha256:digest", "sha256:task", FACTS)}
UNINSTALLED = "no collector masscan is installed; installed are network, nmap"


def report(*, digest="sha256:digest", finds=True):
    found = [Made(kind="host", key="web", data={})] if finds else []
    return Made(
        template=Made(digest=digest),
        scores=Made(found=found, wrong_values=[], false_negatives=[]),
        scores_missing=None,
        collectors=[],
        verdict=None,
        phases=[],
    )


class Client:
    """An API whose experiment has ended; from some run on, the second arm's collector was not installed."""

    def __init__(self, theirs):
        arms = [arm.name for arm in REQUEST.arms()]
        runs = []
        for number in range(REQUEST.sessions):
            arm, repetition = arms[number % 2], number // 2
            failed = arm == "theirs" and repetition >= theirs
            runs.append(
                {
                    "number": number,
                    "arm": arm,
                    "template": "small",
                    "seed": 0,
                    "repetition": repetition,
                    "state": "failed" if failed else "measured",
                    "session_id": None if failed else str(UUID(int=number)),
                    "reason": UNINSTALLED if failed else None,
                }
            )
        self.experiment = {
            "id": str(UUID(int=99)),
            "request": REQUEST.model_dump(mode="json"),
            "requested_by": "ci",
            "requested_at": "2026-11-27T01:30:00Z",
            "state": "done",
            "runs": REQUEST.sessions,
            "measured": 4 + theirs,
            "failed": 4 - theirs,
            "seconds_left": None,
            "results": None,
            "run_list": runs,
        }

    async def request_experiment(self, request):
        assert request == REQUEST
        return Experiment.model_validate(self.experiment).model_dump(mode="json")

    async def report(self, session_id, criteria):
        return {"session": session_id}

    async def stop_experiment(self, experiment_id):
        self.stopped = experiment_id


@pytest.fixture
def reports(monkeypatch):
    """Let reports be these, by the number of the run."""
    made = {}
    monkeypatch.setattr(measuring, "read_report", lambda answer: made.get(answer["session"].int, report()))
    return made


def always_found():
    fact = FactCount(template="small", kind="host", key="web", found=4, of=4)
    return {name: BaselineArm(collectors={}, runs=4, facts=(fact,)) for name in ("ours", "theirs")}


async def verdict(theirs):
    measured = await run_experiment(Client(theirs), REQUEST, TRUTHS, None, Screen())
    return judge("bench", always_found(), measured.arms, measured.sessions, measured.reasons)


@pytest.mark.parametrize("theirs", [0, 2])
async def test_an_arm_whose_manifest_was_uninstalled_meanwhile_is_not_measured_and_not_a_loss(
    reports, theirs
):
    judged = await verdict(theirs)
    assert (judged.state, judged.measured, judged.lost) == ("not_measured", 4 + theirs, 0)
    assert len(judged.reasons) == 4 - theirs
    assert all(UNINSTALLED in reason and "theirs, small, seed 0" in reason for reason in judged.reasons)
    ours = next(arm for arm in judged.arms if arm.arm == "ours")
    assert [fact.judgement for fact in ours.facts if fact.kind == "host"] == ["kept"]


async def test_a_loss_of_the_other_arm_is_still_a_loss(reports):
    reports |= dict.fromkeys(range(0, 8, 2), report(finds=False))
    judged = await verdict(0)
    assert (judged.state, judged.lost, len(judged.reasons)) == ("regressed", 1, 4)


async def test_a_session_on_a_template_that_was_changed_meanwhile_is_not_counted(reports):
    reports |= {0: report(digest="sha256:another")}
    judged = await verdict(4)
    assert (judged.state, judged.measured) == ("not_measured", 7)
    assert "its template or an image was changed while the experiment ran" in judged.reasons[0]


@pytest.mark.parametrize("end", [SystemExit(1), BrokenPipeError(), asyncio.CancelledError()])
async def test_whatever_ends_it_early_starts_no_further_session(monkeypatch, end):
    """A closed pipe too, by which Rich ends the program: services would end beside a session just begun."""
    client, screen = Client(2), Screen()

    def fail(*_):
        raise end

    monkeypatch.setattr(screen, "note", fail)
    with pytest.raises(type(end)):
        await run_experiment(client, REQUEST, TRUTHS, None, screen)
    assert client.stopped == UUID(int=99)
