from types import SimpleNamespace

import pytest

from approval_api.reports.criteria import AverageLimits, Criteria
from dryrun_cli.exit_codes import ExitCode
from dryrun_local.machine.errors import AlreadyRunningError
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.runs import trial
from dryrun_local.terminal.screen import Screen


def test_a_trial_asks_what_any_scanner_has_to_meet_and_no_recall():
    asked = Criteria.model_validate(trial.criteria_of_a_trial("whatweb"))
    assert asked.collectors["whatweb"].complete
    assert (asked.targets_harmed_max, asked.no_side_effects, asked.scope) == (0, True, True)
    assert (asked.overall, asked.kinds, asked.complete_scan) == (AverageLimits(), {}, False)


@pytest.mark.parametrize(
    ("code", "complete", "expected"),
    [
        (ExitCode.OK, True, 0),
        (ExitCode.CRITERIA_NOT_MET, True, 5),
        (ExitCode.CRITERIA_NOT_MET, False, 1),
        (1, True, 1),
        (130, False, 130),
    ],
)
async def test_the_exit_code_says_whether_the_trial_was_complete_and_harmed_nothing(
    monkeypatch, tmp_path, code, complete, expected
):
    class Demo:
        def __init__(self, installation, options, screen, timings):
            assert options.judged_by == trial.criteria_of_a_trial("whatweb")
            run = {"collector": "whatweb", "complete": complete, "discoveries": 5, "reason": ""}
            self.report = {"collectors": [run]}

        async def run(self, interruption):
            return code

    done = []

    async def prepare(*_):
        done.append("images")

    async def add(*_):
        assert done == ["images"], "a new checkout has no allowlist yet"
        return SimpleNamespace(name="whatweb", template="try-whatweb", hints=lambda reason: [])

    monkeypatch.setattr(trial, "Demo", Demo)
    monkeypatch.setattr(trial, "add", add)
    monkeypatch.setattr(trial, "prepare", prepare)
    monkeypatch.setattr(trial, "gather", lambda installation: None)
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path))
    screen = SimpleNamespace(done=lambda *_: None, note=lambda *_: None, warn=lambda *_: None)
    tried = trial.add_and_try(
        Installation.here(), screen, None, image="own:1", manifest=tmp_path, tmpfs=(), trial=True
    )
    assert await tried == expected


async def test_a_scanner_is_not_removed_while_a_build_writes_the_same_allowlist(monkeypatch, tmp_path):
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path))
    installation = Installation.here()
    with held(installation, IMAGES), pytest.raises(AlreadyRunningError):
        await trial.remove(installation, Screen(), "whatweb")
