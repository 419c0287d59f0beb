"""Reads what Docker Engine holds, by GET requests only."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from dryrun_local.machine.errors import EngineError

SESSION_LABEL = "discovery.dryrun.session_id"
OWNER_LABEL = "discovery.dryrun.owner"
DEFAULT_HOST = "unix:///var/run/docker.sock"
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Thing:
    """A container, network or volume. `session` is its dry-run session, None if it has none."""

    kind: str
    id: str
    name: str
    session: str | None = None
    owner: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class EngineView:
    """The engine at `docker_host`, e.g. `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`."""

    def __init__(self, http: httpx2.AsyncClient, docker_host: str) -> None:
        self._http = http
        self._docker_host = docker_host

    async def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON answer of the engine. Raises EngineError."""
        try:
            response = await self._http.get(path, params=parameters)
            response.raise_for_status()
            return response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise EngineError(
                f"Docker Engine at {self._docker_host} does not answer: {error or type(error).__name__}; "
                "run `dryrun-local doctor` for what to do"
            ) from error

    async def things(self) -> frozenset[Thing]:
        """Return all containers (stopped ones too), networks and volumes, of all users."""
        found = [
            _thing("container", entry["Id"], entry["Names"][0].lstrip("/"), entry["Labels"])
            for entry in cast("list[dict[str, Any]]", await self.get("/containers/json", all="true"))
            if entry["Names"]  # a container that is being removed has none
        ]
        found += [
            _thing("network", entry["Id"], entry["Name"], entry["Labels"])
            for entry in cast("list[dict[str, Any]]", await self.get("/networks"))
        ]
        volumes = cast("dict[str, list[dict[str, Any]]]", await self.get("/volumes"))
        found += [
            _thing("volume", entry["Name"], entry["Name"], entry["Labels"])
            for entry in volumes["Volumes"] or ()
        ]
        return frozenset(found)


def _thing(kind: str, identifier: str, name: str, labels: Mapping[str, str] | None) -> Thing:
    known = labels or {}
    return Thing(kind, identifier, name, known.get(SESSION_LABEL), known.get(OWNER_LABEL))


@asynccontextmanager
async def open_engine(environ: Mapping[str, str]) -> AsyncIterator[EngineView]:
    """Yield a view of the engine in `DOCKER_HOST`, or of this machine's. Raises EngineError."""
    docker_host = environ.get("DOCKER_HOST") or DEFAULT_HOST
    scheme, _, place = docker_host.partition("://")
    # Neither has TLS, for which each client would read the machine's certificates, 50 ms of processor.
    match scheme:
        case "unix":
            transport, base = httpx2.AsyncHTTPTransport(uds=place, verify=False), "http://docker"
        case "tcp" | "http":
            transport, base = httpx2.AsyncHTTPTransport(verify=False), f"http://{place}"
        case _:
            raise EngineError(f"DOCKER_HOST is {docker_host!r}; expected unix://PATH or tcp://HOST:PORT")
    async with httpx2.AsyncClient(
        transport=transport, base_url=base, timeout=_ANSWER_SECONDS, trust_env=False
    ) as http:
        yield EngineView(http, docker_host)
