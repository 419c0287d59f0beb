"""Sessions whose reports are kept, and what is counted while they are."""

import asyncio
from collections import Counter
from uuid import UUID

from approval_api.computing.worker_process import WorkerProcess
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import (
    AddressesMapped,
    CollectorStarted,
    DiscoveryReported,
    PhaseChanged,
    SessionEnded,
)
from dryrun_contract.session import Outcome, Phase

DIGEST = "sha256:" + "1" * 64


HTML = {"Accept": "text/html"}


async def has_ended(api, session_id):
    return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "ended"


def hostile(orchestrator, session_id, discoveries, *, ends=True):
    """Report a session whose collector repeats itself in deep keys."""
    session = UUID(session_id)
    orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
    orchestrator.tell(session, AddressesMapped(addresses={"10.213.0.3": "web"}))
    started = CollectorStarted(collector="web", run="1", image="i", image_id=DIGEST, config_digest=DIGEST)
    orchestrator.tell(session, started)
    for number in range(discoveries):
        found = Discovery(kind="web_app", key=f"10.213.0.3:80/tcp/{number:05d}{'/a' * 14}", confidence=0.9)
        event = DiscoveryReported(collector="web", run="1", line=number + 1, discovery=found)
        orchestrator.tell(session, event)
    if ends:
        orchestrator.tell(session, SessionEnded(outcome=Outcome.COMPLETED))


def counting(api, monkeypatch, delay=0.0):
    """Count the tasks that processes get, by name."""
    tasks = Counter()
    original = WorkerProcess.call

    async def call(self, *task):
        tasks[task[0].decode()] += 1
        await asyncio.sleep(delay)
        return await original(self, *task)

    monkeypatch.setattr(WorkerProcess, "call", call)
    return tasks


async def scored(api):
    return "being scored" not in (await api.client.get("/", headers=HTML)).text
