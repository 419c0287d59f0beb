"""An in-memory engine on a Unix socket: it answers the calls that a guard makes, and records each one."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

SESSION_LABEL = "discovery.dryrun.session_id"


def _released() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class FakeEngine:
    """State that tests read and change. `asked` holds (method, path, query, body) of each call."""

    info: dict[str, Any] = field(
        default_factory=lambda: {"MemoryLimit": True, "CpuCfsQuota": True, "PidsLimit": True}
    )
    images: dict[str, str] = field(default_factory=dict)
    image_configs: dict[str, Any] = field(default_factory=dict)
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    refuse: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """(method, path prefix) to the status and message with which such calls are refused."""
    api: str = "1.47"
    create_seconds: float = 0.0
    change_seconds: float = 0.0
    """How long a start, a stop, a removal, or the creation of a network takes."""
    released: asyncio.Event = field(default_factory=_released)
    """While it is not set, what takes such a time does not end."""
    under_way: int = 0
    most_under_way: int = 0
    """How many creations, starts, stops, removals and searches of logs there are, and were at most."""
    list_seconds: float = 0.0
    """How old a listing is when it arrives."""
    loses_answers: bool = False
    """The connection of a start breaks; the start has not happened yet."""
    loses_creates: bool = False
    """The connection of a container's creation breaks; it has not happened yet."""
    log_seconds: float = 0.0
    """How long a log is searched for what a reader asked for."""
    log_lasts: bool = False
    """A log is followed until its reader goes."""
    inputs: dict[str, bytearray] = field(default_factory=dict)
    """What each container got on its standard input."""
    hangs: set[str] = field(default_factory=set)
    """Ids whose removal gets no answer."""
    allocates: bool = True
    """Whether a swarm gives overlays the subnets that they ask for; it answers before it does."""
    leaderless_lists: int = 0
    """How many listings of networks to come lack those of the swarm."""
    leaders: int | None = None
    """How many further questions for a leader find one; None: each does."""
    leader_seconds: float = 0.0
    """How long each of them takes."""
    padding: str = ""
    """Makes every inspection longer."""
    log: bytes = b"\x01\0\0\0\0\0\0\x03hi\n"
    events: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)

    @asynccontextmanager
    async def working(self, seconds: float) -> AsyncIterator[None]:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(seconds)
            await self.released.wait()
            yield
        finally:
            self.under_way -= 1

    def bodies(self, path: str) -> list[Any]:
        return [body for _, asked, _, body in self.asked if asked == path and body is not None]

    def times_asked(self, path: str) -> int:
        return [asked for _, asked, _, _ in self.asked].count(path)

    @property
    def times_listed(self) -> int:
        return self.times_asked("/networks") + self.times_asked("/containers/json")

    def add_container(self, labels: dict[str, str], name: str = "foreign", **more: Any) -> str:
        identity = secrets.token_hex(32)
        self.containers[identity] = {
            "Id": identity,
            "Names": [f"/{name}"],
            "Labels": labels,
            "State": "created",
            **more,
        }
        return identity

    def add_network(self, labels: dict[str, str], name: str = "foreign", **more: Any) -> str:
        identity = secrets.token_hex(32)
        created = datetime.now(UTC).isoformat()
        self.networks[identity] = {
            "Id": identity,
            "Name": name,
            "Labels": labels,
            "Created": created,
            "Containers": {},
            **more,
        }
        return identity


_FILLED_IN = {
    "Binds": None,
    "ConsoleSize": [0, 0],
    "OomKillDisable": False,
    "Runtime": "runc",
    "ShmSize": 64 * 2**20,
    "MaskedPaths": [
        *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
        *("/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware"),
        "/sys/devices/virtual/powercap",
    ],
    "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
}
"""What the engine fills in where a request is silent."""


class _Input:
    """What comes on a connection after it was handed over."""

    def __init__(self, engine: FakeEngine, identity: str) -> None:
        self._engine, self._identity = engine, identity
        self.ended = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._engine.inputs.setdefault(self._identity, bytearray()).extend(data)
        return False, b""

    def feed_eof(self) -> None:
        self.ended.set()


class _Server:
    """The handlers. Paths come without the version."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_ping", self.ping),
            web.get("/version", self.version),
            web.get("/info", self.info),
            web.get("/images/{name:.+}/json", self.image),
            web.get("/containers/json", self.containers),
            web.get("/networks", self.networks),
            web.get("/nodes", self.nodes),
            web.get("/events", self.events),
            web.post("/containers/create", self.create_container),
            web.post("/networks/create", self.create_network),
            web.get("/containers/{id}/json", self.inspect),
            web.get("/networks/{id}", self.inspect),
            web.post("/containers/{id}/start", self.start),
            web.post("/containers/{id}/stop", self.stop),
            web.post("/containers/{id}/wait", self.wait),
            web.post("/containers/{id}/attach", self.attach),
            web.get("/containers/{id}/stats", self.stats),
            web.get("/containers/{id}/logs", self.logs),
            web.delete("/{kind:containers|networks}/{id}", self.remove),
        ]

    @web.middleware
    async def recorded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        engine = self._engine
        raw = await request.read()
        path = request.path.removeprefix("/v1.45")
        engine.asked.append((request.method, path, dict(request.query), json.loads(raw) if raw else None))
        for (method, beginning), (status, message) in engine.refuse.items():
            if request.method == method and path.startswith(beginning):
                return web.json_response({"message": message}, status=status)
        try:
            return await handler(request)
        except KeyError as missing:
            return web.json_response({"message": f"No such thing: {missing}"}, status=404)

    def _thing(self, request: web.Request) -> dict[str, Any]:
        return (self._engine.containers | self._engine.networks)[request.match_info["id"]]

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"Version": "26.1.5", "ApiVersion": self._engine.api, "MinAPIVersion": "1.24"}
        )

    async def info(self, _: web.Request) -> web.Response:
        return web.json_response(self._engine.info)

    async def image(self, request: web.Request) -> web.Response:
        engine, name = self._engine, request.match_info["name"]
        identity = name if name in engine.images.values() else engine.images[name]
        return web.json_response(
            {"Id": identity, "Config": engine.image_configs.get(identity, {}), "Size": 7}
        )

    async def containers(self, request: web.Request) -> web.Response:
        return await self._listed(self._engine.containers, request)

    async def nodes(self, _: web.Request) -> web.Response:
        engine = self._engine
        await asyncio.sleep(engine.leader_seconds)
        if engine.leaders is not None:
            engine.leaders -= 1
            if engine.leaders < 0:
                return web.json_response({"message": "The swarm does not have a leader."}, status=503)
        return web.json_response([])

    async def networks(self, request: web.Request) -> web.Response:
        networks = self._engine.networks
        if self._engine.leaderless_lists:
            self._engine.leaderless_lists -= 1
            networks = {key: each for key, each in networks.items() if each.get("Driver") != "overlay"}
        return await self._listed(networks, request)

    async def _listed(self, things: dict[str, dict[str, Any]], request: web.Request) -> web.Response:
        answer = web.json_response(_filtered(things, dict(request.query)))
        await asyncio.sleep(self._engine.list_seconds)
        return answer

    async def create_container(self, request: web.Request) -> web.Response:
        name, body = request.query["name"], await request.json()
        async with self._engine.working(self._engine.create_seconds):
            pass
        if self._engine.loses_creates:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if any(f"/{name}" in each["Names"] for each in self._engine.containers.values()):
            text = f'Conflict. The container name "/{name}" is already in use by container "{"f" * 64}".'
            return web.json_response({"message": text}, status=409)
        ((network, endpoint),) = body["NetworkingConfig"]["EndpointsConfig"].items()
        of_image = self._engine.image_configs.get(body["Image"], {})
        identity = self._engine.add_container(body["Labels"], name)
        self._engine.containers[identity] |= {
            "Image": body["Image"],
            "HostConfig": {**_FILLED_IN, **body["HostConfig"]},
            "Config": {
                **of_image,
                "Hostname": identity[:12],
                "Image": body["Image"],
                "Labels": {**of_image.get("Labels", {}), **body["Labels"]},
                "Env": [*body["Env"], *of_image.get("Env", ())],
                "OpenStdin": body.get("OpenStdin", False),
                "Volumes": None,
            },
            "NetworkSettings": {
                "Networks": {
                    # An overlay that has no container here yet is known by nothing but the id.
                    self._engine.networks.get(network, {"Name": network})["Name"]: {
                        **endpoint,
                        "Aliases": [*endpoint["Aliases"], identity[:12]],
                        "NetworkID": network,
                    }
                }
            },
        }
        return web.json_response({"Id": identity, "Warnings": ["of the host"]}, status=201)

    async def create_network(self, request: web.Request) -> web.Response:
        body = await request.json()
        async with self._engine.working(self._engine.change_seconds):
            pass
        identity = self._engine.add_network(body["Labels"], body["Name"], **_network(body))
        return web.json_response({"Id": identity, "Warning": "of the host"}, status=201)

    async def inspect(self, request: web.Request) -> web.Response:
        thing = dict(self._thing(request))
        if thing.get("Driver") == "overlay" and not self._engine.allocates:
            thing["Driver"] = ""
        if "State" in thing:
            thing["State"] = {"Running": thing["State"] == "running"}
        return web.json_response(thing | ({"Padding": self._engine.padding} if self._engine.padding else {}))

    async def start(self, request: web.Request) -> web.Response:
        thing = self._thing(request)
        if self._engine.loses_answers:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        async with self._engine.working(self._engine.change_seconds):
            pass
        already = thing["State"] == "running"
        thing["State"] = "running"
        return web.Response(status=304 if already else 204)

    async def stop(self, request: web.Request) -> web.Response:
        async with self._engine.working(self._engine.change_seconds):
            pass
        self._thing(request)["State"] = "exited"
        return web.Response(status=204)

    async def wait(self, request: web.Request) -> web.Response:
        self._thing(request)
        return web.json_response({"StatusCode": 0})

    async def attach(self, request: web.Request) -> web.StreamResponse:
        assert (request.headers["Connection"], request.headers["Upgrade"]) == ("Upgrade", "tcp")
        transport, taken = request.transport, _Input(self._engine, self._thing(request)["Id"])
        assert transport is not None
        transport.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        request.protocol.set_parser(taken)
        await taken.ended.wait()
        transport.close()
        return web.Response()

    async def stats(self, request: web.Request) -> web.Response:
        return web.json_response({"id": self._thing(request)["Id"], "networks": {}})

    async def logs(self, request: web.Request) -> web.StreamResponse:
        self._thing(request)
        headers = {"Content-Type": "application/vnd.docker.multiplexed-stream"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        async with self._engine.working(self._engine.log_seconds):
            await response.write(self._engine.log)
        while self._engine.log_lasts:
            await asyncio.sleep(0.01)
            await response.write(self._engine.log)
        return response

    async def remove(self, request: web.Request) -> web.Response:
        identity = self._thing(request)["Id"]
        if identity in self._engine.hangs:
            await asyncio.sleep(60)
        async with self._engine.working(self._engine.change_seconds):
            pass
        self._engine.containers.pop(identity, None)
        self._engine.networks.pop(identity, None)
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while (event := await self._engine.events.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        return response


def _network(body: Any) -> dict[str, Any]:
    keys = ("Driver", "Internal", "EnableIPv6", "IPAM", "Options", "Attachable")
    return {**{key: body[key] for key in keys}, "Scope": body.get("Scope", "local")}


def _filtered(things: dict[str, dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    wanted = json.loads(query.get("filters", "{}")).get("label", [])
    return [thing for thing in things.values() if all(_carries(thing["Labels"], each) for each in wanted)]


def _carries(labels: dict[str, str], wanted: str) -> bool:
    key, separator, value = wanted.partition("=")
    return key in labels and (not separator or labels[key] == value)


@asynccontextmanager
async def running_engine(socket: Path) -> AsyncIterator[FakeEngine]:
    """Serve a fake engine on a socket for the time of the block."""
    engine = FakeEngine()
    server = _Server(engine)
    app = web.Application(client_max_size=2**24, middlewares=[server.recorded])
    versioned = web.Application(client_max_size=2**24)
    versioned.add_routes(server.routes())
    app.add_subapp("/v1.45", versioned)
    app.add_routes([web.get("/version", server.version)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield engine
    finally:
        await engine.events.put(None)
        await runner.cleanup()
