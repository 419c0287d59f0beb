"""How a demo that a person ends with Ctrl-C has ended, whatever signals come after it."""

import signal
from types import SimpleNamespace
from uuid import uuid4

import pytest

from dryrun_cli.live.watch import WatchOutcome
from dryrun_cli.live.watched_session import WatchedSession
from dryrun_local.machine.installation import Installation
from dryrun_local.runs import demo
from dryrun_local.terminal.interruption import Interruption
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings


@pytest.mark.parametrize(
    ("interrupted", "left_by", "ends_by"),
    [
        (True, signal.SIGTERM, signal.SIGINT),
        (True, None, signal.SIGINT),
        (False, signal.SIGTERM, signal.SIGTERM),
        (False, None, None),
    ],
)
async def test_the_first_signal_is_how_it_ends(monkeypatch, tmp_path, interrupted, left_by, ends_by):
    async def start_session(_):
        return {}

    async def watch_session(*_, **__):
        return WatchOutcome(None, None, interrupted, left_by, WatchedSession())

    monkeypatch.setattr(demo, "read_session", lambda _: SimpleNamespace(id=uuid4()))
    monkeypatch.setattr(demo, "watch_session", watch_session)
    monkeypatch.setattr(Interruption, "listen", lambda _: None)
    installation = Installation(tmp_path, tmp_path / "state")
    interruption = Interruption(lambda _: None)
    run = demo.Demo(installation, demo.Options(), Screen(), Timings())
    await run._watch(
        SimpleNamespace(start_session=start_session),
        SimpleNamespace(api_url="http://127.0.0.1"),
        interruption,
    )
    assert interruption.number is ends_by
