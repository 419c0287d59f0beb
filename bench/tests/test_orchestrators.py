"""What a measurement leaves of a session that it does not see to its end."""

import asyncio

import httpx2
import pytest
from bench.orchestrators import Orchestrator

JOURNAL = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.mark.timeout(20)
async def test_who_is_ended_in_the_midst_of_a_session_waits_until_nothing_of_it_is_left():
    asked, phases = [], ["cleaning_up", "ended"]
    follows = asyncio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/events":
            if request.url.params.get("wait") == "30":
                follows.set()
                await asyncio.sleep(60)
            return httpx2.Response(200, json={"journal": JOURNAL, "events": []})
        asked.append((request.method, request.url.path.rpartition("/")[2]))
        return httpx2.Response(200, json={"phase": phases.pop(0) if request.method == "GET" else "queued"})

    async with httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer), base_url="http://orchestrator"
    ) as http:
        measuring = asyncio.create_task(Orchestrator(http).session("small"))
        await follows.wait()
        measuring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await measuring
    (_, session_id), *then = asked
    assert then == [("POST", "stop"), ("GET", session_id), ("GET", session_id)]
    assert not phases
