"""Schemathesis sends what the OpenAPI document allows, and what it forbids, to the running service."""

import asyncio
import sys
from pathlib import Path

import pytest

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

NOT_ASKED = {
    # Some rules are beyond JSON Schema: what a cursor is, what a resource key is, that a link was not used.
    "positive_data_acceptance",
    # Bodies are read leniently where that is harmless: 0 for false, an item of a set twice.
    "negative_data_rejection",
}


@pytest.fixture
def programs():
    return "ada/admin"


@pytest.mark.long
@pytest.mark.timeout(600)  # 40 s of processor time, of which unit tests get what others leave
async def test_every_answer_is_one_that_the_document_describes(settings, orchestrator, serving, tmp_path):
    from approval_api.app import create_app

    patient = settings.model_copy(update={"requests_burst": 100_000})
    async with serving(create_app(patient, orchestrator_transport=orchestrator)) as api:
        # Making the document takes seconds where others compute, and Schemathesis waits for ten.
        assert (await api.client.get("/openapi.json", timeout=60)).status_code == 200
        process = await asyncio.create_subprocess_exec(
            str(SCHEMATHESIS),
            "run",
            f"{str(api.client.base_url).rstrip('/')}/openapi.json",
            *("--header", f"Authorization: {api.client.headers['Authorization']}"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "5"),
            "--generation-deterministic",
            *("--exclude-checks", ",".join(sorted(NOT_ASKED))),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(550):
            output, _ = await process.communicate()
    words = output.decode()
    assert process.returncode == 0, words[-8000:]
    assert "Tested: 0" not in words
    assert "Tested: " in words
