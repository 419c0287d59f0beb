"""The orchestrator's application on an engine in memory, as its client sees it."""

import asyncio
import contextlib
import json

import httpx2
from engine_in_memory.engine import FakeEngine
from stage import Stage, images

from dryrun_contract.session import Session
from dryrun_orchestrator.app import create_app

TOKEN = {"Authorization": "Bearer a-token-of-sixteen", "X-Actor": "ada"}


@contextlib.asynccontextmanager
async def serving(folder):
    async with FakeEngine(images()) as engine:
        stage = Stage(folder, engine)
        stage.write_collectors()
        app = create_app(stage.settings, engine)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://x", headers=TOKEN) as client:
                client.folder = folder
                client.app = app
                client.engine = engine
                yield client


def audit_lines(client):
    return [json.loads(line) for line in (client.folder / "state" / "audit.jsonl").read_text().splitlines()]


async def until_ended(client, session_id):
    async with asyncio.timeout(15):
        while True:
            session = Session.model_validate_json((await client.get(f"/sessions/{session_id}")).content)
            if session.ended_at:
                return session
            await asyncio.sleep(0.05)
