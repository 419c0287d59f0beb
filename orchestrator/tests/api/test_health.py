import asyncio

import httpx2
import pytest
from engine_in_memory.engine import FakeEngine
from served_app import TOKEN, serving
from stage import Stage, images

from dryrun_orchestrator.app import create_app


@pytest.fixture
async def served(tmp_path):
    async with serving(tmp_path) as client:
        yield client


async def test_readiness_says_what_is_missing(served):
    async with asyncio.timeout(5):
        while (await served.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
    served.engine.go_down()
    answer = await served.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["engine"].startswith("no: ")


async def test_metrics_are_in_prometheus_form(served):
    text = (await served.get("/metrics")).text
    assert "dryrun_isolated" in text
    assert "dryrun_sessions_ended_total" in text


async def test_metrics_with_an_address_of_their_own_are_there_and_nowhere_else(tmp_path, unused_tcp_port):
    place = f"127.0.0.1:{unused_tcp_port}"
    async with FakeEngine(images()) as engine:
        stage = Stage(tmp_path, engine)
        stage.write_collectors()
        app = create_app(stage.settings.model_copy(update={"metrics_listen": place}), engine)
        async with app.router.lifespan_context(app), httpx2.AsyncClient(trust_env=False) as client:
            assert "dryrun_isolated" in (await client.get(f"http://{place}/metrics")).text
            assert (await client.get(f"http://{place}/sessions", headers=TOKEN)).status_code == 404
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as inside:
                assert (await inside.get("/metrics")).status_code == 404
