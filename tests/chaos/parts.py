"""Describes what a world consists of: the wires between its parts, their clocks and their programs."""

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from local_stack import API_TOKEN, ORCHESTRATOR_TOKEN
from wires import Wire

from dryrun_local.system.postgres import DATABASE, application_url, server_command, url_of
from dryrun_local.system.processes import Program

if TYPE_CHECKING:  # it is made of what is described here
    from world import World

SUBNET_POOL = "10.213.96.0/20"
SESSION_SECONDS = 75
"""Short, so that deadlines pass within a campaign."""
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")

type Catalog = tuple[Path, Path, Path]
"""Templates, collectors, allowlist."""


def wires_of(folder: Path, docker_host: str, orchestrator: int, wired: int) -> dict[str, Wire]:
    """Return a wire between each two parts. Behind port `wired` is that of the orchestrator."""
    (folder / "db").mkdir()
    _, _, engine_socket = docker_host.partition("://")
    number = ".s.PGSQL.5432"
    return {
        "api-database": Wire("api-database", folder / "db" / number, folder / "pg" / number),
        "api-orchestrator": Wire("api-orchestrator", ("127.0.0.1", wired), ("127.0.0.1", orchestrator)),
        "orchestrator-guard": Wire("orchestrator-guard", folder / "guard-wire.sock", folder / "guard.sock"),
        "guard-engine": Wire("guard-engine", folder / "engine-wire.sock", Path(engine_socket)),
    }


def programs_of(world: "World", folder: Path, wired: int, catalog: Catalog) -> tuple[Program, ...]:
    """Return how each part is started, the database first."""
    guard_socket, engine_socket = folder / "guard-wire.sock", folder / "engine-wire.sock"
    return (
        _postgres(world, folder),
        _guard(world, folder, engine_socket, catalog),
        _orchestrator(world, guard_socket, catalog),
        _api(world, folder, wired),
    )


def _postgres(world: "World", folder: Path) -> Program:
    return Program(
        "postgres",
        server_command(world.disks.database.folder / "postgres", folder / "pg"),
        _inherited(),
        world.installation.logs / "postgres.log",
        stop_signal=signal.SIGINT,
    )


def _guard(world: "World", folder: Path, engine_socket: Path, catalog: Catalog) -> Program:
    _, _, allowlist = catalog
    policy = folder / "policy.json"
    policy.write_text(
        json.dumps({"subnet_pool": SUBNET_POOL, "sessions": 100, "containers": 2000, "sweep_seconds": 2})
    )
    return Program(
        "guard",
        (
            str(world.installation.program("docker-guard")),
            "serve",
            f"--listen=unix://{folder / 'guard.sock'}",
            f"--docker=unix://{engine_socket}",
            f"--allowlist={allowlist}",
            f"--policy={policy}",
        ),
        _inherited() | _clock(world, "guard"),
        world.installation.logs / "guard.log",
    )


def _orchestrator(world: "World", guard_socket: Path, catalog: Catalog) -> Program:
    templates, collectors, allowlist = catalog
    return Program(
        "orchestrator",
        (str(world.installation.program("dryrun-orchestrator")), "serve"),
        _inherited()
        | _clock(world, "orchestrator")
        | {
            "ORCHESTRATOR_TOKEN": ORCHESTRATOR_TOKEN,
            "ORCHESTRATOR_LISTEN": world.orchestrator_url.removeprefix("http://"),
            "ORCHESTRATOR_STATE_DIR": str(world.journal_folder),
            "ORCHESTRATOR_TEMPLATES_DIR": str(templates),
            "ORCHESTRATOR_COLLECTORS_DIR": str(collectors),
            "ORCHESTRATOR_ALLOWLIST": str(allowlist),
            "ORCHESTRATOR_SUBNET_POOL": SUBNET_POOL,
            "ORCHESTRATOR_SESSION_SECONDS": str(SESSION_SECONDS),
            "ORCHESTRATOR_WAITING_SECONDS": "20",
            "ORCHESTRATOR_REAPER_SECONDS": "2",
            "ORCHESTRATOR_SESSIONS_AT_ONCE": "4",
            "DOCKER_HOST": f"unix://{guard_socket}",
            **world.settings,
        },
        world.installation.logs / "orchestrator.log",
    )


def _api(world: "World", folder: Path, wired: int) -> Program:
    return Program(
        "api",
        (str(world.installation.program("approval-api")), "serve"),
        _inherited()
        | _clock(world, "api")
        | {
            "APPROVAL_DATABASE_URL": application_url(url_of(DATABASE, folder / "db")),
            "APPROVAL_MIGRATION_DATABASE_URL": world.database_url,
            "APPROVAL_LISTEN": world.api_url.removeprefix("http://"),
            "APPROVAL_TOKENS": f"tests:{API_TOKEN}",
            "APPROVAL_ORCHESTRATOR_URL": f"http://127.0.0.1:{wired}",
            "APPROVAL_ORCHESTRATOR_TOKEN": ORCHESTRATOR_TOKEN,
        },
        world.installation.logs / "api.log",
    )


def _inherited() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("APPROVAL_", "ORCHESTRATOR_", "DOCKER_"))
    }


def _clock(world: "World", name: str) -> dict[str, str]:
    """Return what gives a part a clock of its own."""
    if not FAKETIME.exists():
        return {}
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(world.clocks[name]),
        "FAKETIME_NO_CACHE": "1",
        # Clocks that measure durations never jump, on any machine.
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Else every wait with a deadline returns at once: threads that wait for Python's lock spin.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
