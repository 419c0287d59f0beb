"""What a measurement waits for."""

import asyncio
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest
from bench import system
from bench.system import Sessions

from dryrun_contract.session import Phase

AT = "2026-01-31T09:30:00Z"


class Client:
    """A session that is asked too late to be seen in its shorter phases."""

    def __init__(self, *phases):
        self._phases = list(phases)
        self.id = str(uuid4())
        self.stopped = False

    async def session(self, _):
        words = dict.fromkeys(
            ("queue_position", "accepted_at", "outcome", "reason", "expires_at", "ended_at")
        )
        return words | {
            "id": self.id,
            "template": "small",
            "template_digest": "sha256:1",
            "seed": 0,
            "keep": True,
            "scan": {},
            "requested_by": "ada",
            "requested_at": AT,
            "phase": self._phases.pop(0),
        }

    async def sessions(self):
        yield await self.session(self.id)

    async def stop_session(self, session_id):
        assert str(session_id) == self.id
        self.stopped = True

    async def events(self, _):
        for seq, phase in enumerate(["scanning", "kept"], 1):
            data = {"type": "phase_changed", "phase": phase}
            yield {"journal": str(uuid4()), "seq": seq, "session_id": self.id, "at": AT, "data": data}


@pytest.mark.timeout(10)
async def test_a_phase_that_was_over_before_anybody_asked_was_reached():
    client = Client("requested", "waiting", "kept")
    sessions = Sessions(client, SimpleNamespace(), SimpleNamespace())
    events = await sessions.until(client.id, Phase.SCANNING)
    assert [event.data.phase for event in events] == [Phase.SCANNING, Phase.KEPT]


def test_who_is_ended_in_the_midst_of_a_session_ends_it_before_the_services(monkeypatch, tmp_path):
    monkeypatch.setenv("DRYRUN_LOCAL_STATE", str(tmp_path))
    client = Client("scanning", "cleaning_up", "ended")
    left = []

    @asynccontextmanager
    async def services(*_, **__):
        try:
            yield SimpleNamespace(client_settings=lambda: None)
        finally:
            left.extend(client._phases)

    @asynccontextmanager
    async def asked(_):
        yield client

    monkeypatch.setattr(system, "running_system", services)
    monkeypatch.setattr(system, "open_client", asked)

    async def measure():
        async with system.running_sessions():
            # As the handler of a signal, while the loop waits.
            asyncio.get_running_loop().call_soon(sys.exit, 143)
            await asyncio.sleep(60)

    with pytest.raises(SystemExit):
        asyncio.run(measure())
    assert (client.stopped, left) == (True, [])
