import asyncio
import io
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from dryrun_cli.errors import ApiUnreachableError
from dryrun_local.runs import sessions
from dryrun_local.terminal.screen import Screen


class FakeApi:
    """Sessions that end some answers after they were asked to."""

    def __init__(self, *phases: str, answers_until_ended: int = 2) -> None:
        self.phases = {uuid4(): phase for phase in phases}
        self.stopped: list[UUID] = []
        self._left = answers_until_ended

    def _told(self, session_id: UUID) -> dict[str, object]:
        return {
            "id": str(session_id),
            "template": "small",
            "template_digest": "sha256:1",
            "seed": 0,
            "keep": False,
            "requested_by": "local",
            "requested_at": "2026-01-31T09:30:00Z",
            "queue_position": None,
            "accepted_at": None,
            "phase": self.phases[session_id],
            "outcome": None,
            "reason": None,
            "expires_at": None,
            "ended_at": None,
        }

    async def sessions(self):
        for session_id in self.phases:
            yield self._told(session_id)

    async def session(self, session_id):
        if session_id in self.stopped:
            self._left -= 1
            if self._left <= 0:
                self.phases[session_id] = "ended"
        return self._told(session_id)

    async def stop_session(self, session_id):
        self.stopped.append(session_id)
        return self._told(session_id)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(sessions, "_POLL_SECONDS", 0.01)


async def test_stops_and_awaits_only_sessions_that_have_not_ended():
    api = FakeApi("ended", "scanning", "queued", "ended")
    unfinished = [key for key, phase in api.phases.items() if phase != "ended"]
    await sessions.end_all(api, Screen(to_error=True))
    assert api.stopped == unfinished
    assert set(api.phases.values()) == {"ended"}


async def test_reports_a_session_that_does_not_end_and_returns(monkeypatch, capsys):
    monkeypatch.setattr(sessions, "CLEANUP_SECONDS", 0.1)
    api = FakeApi("scanning", answers_until_ended=10**9)
    async with asyncio.timeout(5):
        await sessions.end_all(api, Screen(to_error=True))
    assert "was not cleaned up within" in capsys.readouterr().err


async def test_reports_an_api_that_is_gone(capsys):
    class Gone(FakeApi):
        async def stop_session(self, session_id):
            raise ApiUnreachableError("no answer in time")

    await sessions.end_all(Gone("scanning"), Screen(to_error=True))
    assert "no answer in time" in capsys.readouterr().err


class ClosedPipe(io.StringIO):
    """Standard output whose reader is gone, as after `| head`."""

    def write(self, _):
        raise BrokenPipeError


class EndingConsole(Console):
    def on_broken_pipe(self):
        raise SystemExit(1)  # as Rich does, but for what it does to the process


async def test_sessions_are_ended_where_nobody_reads_the_output_any_more():
    """Services end next, and with them everybody who would remove what is left."""
    screen = Screen()
    screen.console = EndingConsole(file=ClosedPipe())
    with pytest.raises(SystemExit):
        screen.note("anything")
    api = FakeApi("scanning", "queued")
    await sessions.end_all(api, screen)
    assert set(api.stopped) == set(api.phases)
    assert set(api.phases.values()) == {"ended"}
