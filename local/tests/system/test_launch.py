import asyncio
import json
import os
import sys

import pytest

from dryrun_local.machine.errors import LocalError, ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.launch import (
    API_PORT,
    ORCHESTRATOR_PORT,
    System,
    running_system,
)
from dryrun_local.system.ports import reserved_ports
from dryrun_local.system.processes import Program, running
from dryrun_local.terminal.timings import Timings


@pytest.fixture
def installation(tmp_path) -> Installation:
    installation = Installation(tmp_path, tmp_path / "state")
    installation.prepare()
    return installation


class EnoughError(Exception):
    """The API has been started."""


async def test_an_installation_that_starts_beside_another_one_takes_other_ports(installation):
    """Before the other one listens; otherwise clients of this one would ask the other one's API."""
    api = installation.root / ".venv/bin/approval-api"
    api.parent.mkdir(parents=True)
    api.write_text(
        '#!/bin/sh\necho "$APPROVAL_LISTEN" >listen.new && mv listen.new listen && exec sleep 60\n'
    )
    api.chmod(0o755)
    listen = installation.root / "listen"

    async def started():
        while not listen.exists():
            await asyncio.sleep(0.01)
        raise EnoughError

    with reserved_ports(API_PORT, ORCHESTRATOR_PORT) as others, pytest.raises(EnoughError):
        async with (
            asyncio.timeout(20),
            running_system(
                installation,
                timings=Timings(),
                prepare_images=started,
                environ={"PATH": os.environ["PATH"], "APPROVAL_DATABASE_URL": EMBEDDED},
            ),
        ):
            pass
    assert int(listen.read_text().rpartition(":")[2]) not in others


EMBEDDED = "postgresql+asyncpg://postgres@/dryrun?host=/run"


async def test_a_wrong_setting_ends_the_start_before_anything_runs(installation):
    begun = []

    async def prepared():
        begun.append("images")

    environ = {"PATH": os.environ["PATH"], "APPROVAL_TYPO": "1", "DELIVERY_HOSTS": "not a host"}
    with pytest.raises(LocalError) as refused:
        async with running_system(
            installation, timings=Timings(), prepare_images=prepared, environ=environ, deliver=True
        ):
            pass
    assert "APPROVAL_TYPO" in str(refused.value)
    assert "DELIVERY_HOSTS: 'not a host': " in str(refused.value)
    assert begun == []
    assert list(installation.logs.iterdir()) == []


async def test_work_ends_with_an_error_when_a_service_dies(installation):
    program = Program(
        "the API", (sys.executable, "-c", "print('out of memory')"), {}, installation.logs / "a.log"
    )
    async with running(installation, program) as child:
        system = System("", installation.api_token_file, "", (child,))
        cleaned_up = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.sleep(30)
            finally:
                await asyncio.sleep(0)
                cleaned_up.set()

        with pytest.raises(ServiceDiedError, match="out of memory"):
            await system.beside(work())
        assert cleaned_up.is_set()


async def test_work_beside_running_services_returns_its_result(installation):
    program = Program(
        "s", (sys.executable, "-c", "import time; time.sleep(60)"), {}, installation.logs / "a.log"
    )
    async with running(installation, program) as child:
        system = System("", installation.api_token_file, "", (child,))

        async def work() -> int:
            return 42

        assert await system.beside(work()) == 42


async def test_the_owner_is_the_orchestrators_journal(installation):
    installation.secret("orchestrator-token").write_text("the-token\n")
    journal = "0b0e7a4c-7e0e-4a4b-9d0a-5c1f3a3f7f11"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        knows = "authorization: bearer the-token" in asked.lower()
        body = json.dumps({"journal": journal, "events": []} if knows else {"title": "who are you?"})
        status = "200 OK" if knows else "401 Unauthorized"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        system = System("", installation.api_token_file, url, ())
        assert await system.owner() == journal
        installation.secret("orchestrator-token").write_text("another-token\n")
        assert await system.owner() is None
    assert await system.owner() is None
