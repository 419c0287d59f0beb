"""Starts PostgreSQL, approval API, guard and orchestrator, waits until they are ready, stops them."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
from pydantic import SecretStr, ValidationError

from dryrun_cli.api.settings import Settings
from dryrun_contract.event import EventPage
from dryrun_contract.text import printable
from dryrun_local.images.programs import capture
from dryrun_local.machine.added_folders import note_running
from dryrun_local.machine.errors import ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import held
from dryrun_local.system.delivery import delivery_program
from dryrun_local.system.guard import running_guard
from dryrun_local.system.ports import reserved_ports
from dryrun_local.system.postgres import application_url, running_postgres
from dryrun_local.system.processes import Child, Program, end_leftovers, running
from dryrun_local.system.service_settings import (
    PREFIXES,
    api_settings,
    database_settings,
    orchestrator_settings,
    require_readable,
)
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings

FIRST_ADMINISTRATOR: Final = "admin"
API_PORT: Final = 8470
ORCHESTRATOR_PORT: Final = 8471
_READY_SECONDS: Final = 60.0
_SESSIONS_READY_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class System:
    """The running services, and how to reach them."""

    api_url: str
    api_token_file: Path
    orchestrator_url: str
    children: tuple[Child, ...]
    invite: Program | None = None
    """Prints the first administrator's one-time link; nothing once there is an administrator."""

    def client_settings(self) -> Settings:
        """Return the settings of a client of the approval API."""
        token = self.api_token_file.read_text(encoding="utf-8").strip()
        return Settings(api_url=self.api_url, api_token=SecretStr(token))

    def client_exports(self) -> tuple[str, ...]:
        """Return the shell commands that give these settings to a client in another terminal, anywhere."""
        return (
            f"export DRYRUN_API_URL={self.api_url}",
            f"export DRYRUN_API_TOKEN_FILE={shlex.quote(str(self.api_token_file))}",
        )

    async def first_link(self) -> str:
        """Return the first administrator's one-time link, "" once there is an administrator.

        Raises ServiceDiedError, and ProgramError when it takes too long.
        """
        if self.invite is None:
            return ""
        code, link, errors = await capture(self.invite.command, environ=self.invite.environment)
        if code:
            reason = printable(errors.strip(), limit=1000)
            raise ServiceDiedError(f"{self.invite.name} could not be made: {reason}")
        return link.strip()

    async def owner(self) -> str | None:
        """Return the `.owner` label of everything this orchestrator creates, None if it does not answer."""
        token = self.api_token_file.with_name("orchestrator-token").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with _plain_client(headers=headers) as http:
            try:
                answer = await http.get(f"{self.orchestrator_url}/events", params={"limit": "1"})
                return str(EventPage.model_validate_json(answer.content).journal)
            except (httpx2.HTTPError, ValidationError):
                return None

    async def missing_for_sessions(self) -> str:
        """Return what keeps sessions from starting, "" if nothing does. Waits up to 10 s for readiness."""
        deadline = asyncio.get_running_loop().time() + _SESSIONS_READY_SECONDS
        async with _plain_client() as http:
            while missing := await _missing(http, f"{self.orchestrator_url}/readyz"):
                if asyncio.get_running_loop().time() > deadline:
                    return missing
                await asyncio.sleep(0.2)
        return ""

    async def beside[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`. Raises ServiceDiedError as soon as one of the services ends."""
        working = asyncio.create_task(work)
        deaths = [asyncio.create_task(child.death()) for child in self.children]
        try:
            await asyncio.wait([working, *deaths], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise next(death for death in deaths if death.done()).result()
            return await working
        finally:
            for task in (working, *deaths):
                task.cancel()
            # Cancelled work may have to clean up.
            await asyncio.gather(working, *deaths, return_exceptions=True)


@asynccontextmanager
async def sole_run(installation: Installation, screen: Screen) -> AsyncIterator[None]:
    """Hold the installation during the block, of which an earlier run's processes have ended.

    Raises AlreadyRunningError.
    """
    with held(installation):
        note_running(installation)
        for name in await end_leftovers(installation):
            screen.note("Ended a process of an earlier run:", name)
        yield


@asynccontextmanager
async def running_system(
    installation: Installation,
    *,
    timings: Timings,
    prepare_images: Callable[[], Awaitable[None]],
    environ: Mapping[str, str] = os.environ,
    deliver: bool = False,
) -> AsyncIterator[System]:
    """Run all services during the block, stopped in reverse order.

    `prepare_images` has to write a complete allowlist; guard and orchestrator start after it.
    `environ` chooses the services' settings; `APPROVAL_DATABASE_URL` in it replaces the embedded PostgreSQL.
    `deliver` runs the delivering process too.
    Raises ServiceDiedError, and LocalError before anything has started if a setting is wrong.
    """
    inherited = {
        name: value for name, value in environ.items() if not name.startswith((*PREFIXES, "DRYRUN_"))
    }
    require_readable(environ, installation, deliver=deliver)
    async with AsyncExitStack() as stack:
        ports = stack.enter_context(reserved_ports(API_PORT, ORCHESTRATOR_PORT))
        api_url, orchestrator_url = (f"http://127.0.0.1:{port}" for port in ports)
        database_url = environ.get("APPROVAL_DATABASE_URL")
        owner_url = environ.get("APPROVAL_MIGRATION_DATABASE_URL")
        if not database_url:
            owner_url = await stack.enter_async_context(running_postgres(installation, inherited))
            database_url = application_url(owner_url)
            timings.mark("PostgreSQL ready")
        databases = database_settings(installation, database_url, owner_url)
        settings = databases | api_settings(installation, environ, api_url, orchestrator_url)
        api = _service(installation, "the approval API", "approval-api", inherited | settings)
        # Loads while the images are checked, and waits for the orchestrator by itself.
        api_child = await stack.enter_async_context(running(installation, api))
        await prepare_images()
        timings.mark("images ready")
        guard_child, docker_host = await stack.enter_async_context(
            running_guard(
                installation, {**environ, "ORCHESTRATOR_ALLOWLIST": str(installation.allowlist)}, inherited
            )
        )
        timings.mark("guard ready")
        settings = orchestrator_settings(installation, environ, orchestrator_url)
        orchestrator = _service(
            installation,
            "the orchestrator",
            "dryrun-orchestrator",
            inherited | settings | {"DOCKER_HOST": docker_host},
        )
        orchestrator_child = await stack.enter_async_context(running(installation, orchestrator))
        # Not the orchestrator's /readyz: that includes an isolation probe, which each session makes as well.
        await _wait_for((orchestrator_child, f"{orchestrator_url}/livez"), (api_child, f"{api_url}/readyz"))
        children = [api_child, guard_child, orchestrator_child]
        if deliver:
            # After the API, whose migration makes the role in the database.
            delivery = delivery_program(installation, environ, inherited, owner_url or database_url, api_url)
            children.append(await stack.enter_async_context(running(installation, delivery)))
        timings.mark("services ready")
        yield System(
            api_url,
            installation.api_token_file,
            orchestrator_url,
            tuple(children),
            _invitation(installation, api, api_url, inherited | databases),
        )


def _plain_client(**options: Any) -> httpx2.AsyncClient:
    """Return a client for the services' HTTP: without TLS, for which it would read the certificates."""
    return httpx2.AsyncClient(trust_env=False, timeout=5.0, verify=False, **options)


def _service(installation: Installation, name: str, program: str, environment: Mapping[str, str]) -> Program:
    log = installation.logs / f"{program.removeprefix('dryrun-')}.log"
    command = (str(installation.program(program)), "serve")
    return Program(name=name, command=command, environment=environment, log=log, stop_seconds=_STOP_SECONDS)


def _invitation(
    installation: Installation, api: Program, api_url: str, environment: Mapping[str, str]
) -> Program:
    program = str(installation.program("approval-api"))
    return replace(
        api,
        name="the first administrator's invitation",
        command=(program, "invite", FIRST_ADMINISTRATOR, "--first", "--url", api_url),
        environment=environment,
    )


async def _wait_for(*answers: tuple[Child, str]) -> None:
    """Wait until each child answers at its address. Raises LocalError."""
    async with _plain_client() as http:
        try:
            async with asyncio.TaskGroup() as group:
                for child, url in answers:
                    group.create_task(child.until(partial(_missing, http, url), _READY_SECONDS))
        except ExceptionGroup as failures:
            # One message is enough: the other service may fail only because this one did.
            raise failures.exceptions[0] from None


async def _missing(http: httpx2.AsyncClient, url: str) -> str:
    try:
        response = await http.get(url)
    except httpx2.HTTPError as error:
        return f"{url} does not answer: {error or type(error).__name__}"
    return "" if response.is_success else _failed_checks(response)


def _failed_checks(response: httpx2.Response) -> str:
    try:
        answer = response.json()
    except ValueError:
        return f"it answers {response.status_code}"
    checks = answer.get("checks") if isinstance(answer, dict) else None
    results = checks.values() if isinstance(checks, dict) else [answer]
    return "; ".join(
        printable(str(result), limit=1000) for result in results if not str(result).startswith("ok")
    )
