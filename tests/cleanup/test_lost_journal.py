"""A session whose orchestrator lost its journal begins again; the guard still knows its first deadline."""

import asyncio
import shutil
import time
from typing import Any
from uuid import uuid4

import pytest
from local_stack import ORCHESTRATOR_TOKEN, PATIENCE, Stack, plain_client

pytestmark = pytest.mark.engine


async def put(stack: Stack, path: str) -> dict[str, Any]:
    """Request a session, as the API does until it has an answer or an event; return what the session is."""
    headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}", "X-Actor": "ada"}
    async with plain_client(base_url=stack.orchestrator.url, headers=headers) as http:
        answer = await http.put(path, json={"template": "quick"})
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_a_lost_journal_began_is_made_again_and_ends_no_later(
    start_stack: Any, quick: dict[str, str]
) -> None:
    stack: Stack = await start_stack(**quick)
    session_id = uuid4()
    path = f"/sessions/{session_id}"
    await stack.api.stop()
    first = await put(stack, path)
    deadline = time.monotonic() + 30 * PATIENCE
    while not await stack.things_of(session_id) or first["expires_at"] is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
        first = await put(stack, path)
    await stack.orchestrator.kill()
    folder = stack.installation.state / "orchestrator"
    shutil.rmtree(folder)
    folder.mkdir()
    await stack.orchestrator.start()
    await put(stack, path)
    while (session := await put(stack, path))["phase"] != "ended":
        assert time.monotonic() < deadline + 120 * PATIENCE
        await asyncio.sleep(0.4)
    assert (session["outcome"], session["reason"]) == ("completed", None)
    assert session["expires_at"] == first["expires_at"]
    assert not await stack.things_of(session_id)
