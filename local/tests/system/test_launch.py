import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from approval_api.deliveries.sending.settings import DeliverySettings
from dryrun_local.machine.errors import ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.delivery import delivery_program
from dryrun_local.system.launch import (
    API_PORT,
    ORCHESTRATOR_PORT,
    System,
    _api_settings,
    _database_settings,
    _orchestrator_settings,
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


def test_the_services_share_secrets_by_files_and_never_by_value(installation):
    api = _api_settings(installation, {}, "http://127.0.0.1:1", "http://127.0.0.1:2")
    api |= _database_settings(installation, "postgresql+asyncpg://u:p@/d", "postgresql+asyncpg://o:p@/d")
    orchestrator = _orchestrator_settings(installation, {}, "http://127.0.0.1:2")
    secrets = [path.read_text().strip() for path in installation.api_token_file.parent.iterdir()]
    for value in [*api.values(), *orchestrator.values()]:
        assert not any(secret in value for secret in secrets)
    assert api["APPROVAL_ORCHESTRATOR_TOKEN_FILE"] == orchestrator["ORCHESTRATOR_TOKEN_FILE"]
    assert api["APPROVAL_ORCHESTRATOR_URL"].endswith(orchestrator["ORCHESTRATOR_LISTEN"])


def test_a_limit_set_by_hand_is_kept_and_a_token_is_not(installation):
    chosen = {
        "ORCHESTRATOR_SESSION_SECONDS": "60",
        "ORCHESTRATOR_TOKEN": "mine",
        "ORCHESTRATOR_LISTEN": "0.0.0.0:1",
    }
    settings = _orchestrator_settings(installation, chosen, "http://127.0.0.1:2")
    assert settings["ORCHESTRATOR_SESSION_SECONDS"] == "60"
    assert settings["ORCHESTRATOR_LISTEN"] == "127.0.0.1:2"
    assert "ORCHESTRATOR_TOKEN" not in settings


EMBEDDED = "postgresql+asyncpg://postgres@/dryrun?host=/run"


def test_without_hosts_deliveries_go_nowhere_and_by_a_role_of_their_own(installation):
    program = delivery_program(installation, {"DRYRUN_X": "1"}, {"PATH": "/bin"}, EMBEDDED, "http://api")
    file = Path(program.environment["DELIVERY_DATABASE_URL_FILE"])
    assert file.read_text() == "postgresql+asyncpg://approval_delivery@/dryrun?host=/run\n"
    settings = DeliverySettings.read(program.environment)
    assert settings.hosts.places == {}
    assert str(settings.public_url) == "http://api/"
    assert program.environment["PATH"] == "/bin"
    assert "DRYRUN_X" not in program.environment


def test_hosts_and_a_database_that_a_developer_names_are_taken(installation):
    chosen = {
        "DELIVERY_HOSTS": "http://127.0.0.1:9000=127.0.0.1",
        "DELIVERY_DATABASE_URL": "postgresql+asyncpg://me@there/d",
        "DELIVERY_PUBLIC_URL": "https://approval.example",
    }
    program = delivery_program(installation, chosen, {}, EMBEDDED, "http://api")
    assert chosen.items() <= program.environment.items()
    assert "DELIVERY_DATABASE_URL_FILE" not in program.environment


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
