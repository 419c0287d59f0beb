"""A supervisor over a fake engine, with a template of two targets and two collectors."""

import asyncio
import contextlib
import json
from pathlib import Path
from uuid import uuid4

from engine_in_memory.engine import FakeEngine, FakeImage, stdout

from dryrun_contract.event import Event
from dryrun_contract.session import Phase, SessionRequest
from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.installed import OperatorFiles, Places
from dryrun_orchestrator.fleet.engine import one_of_fleet
from dryrun_orchestrator.fleet.fleet_file import FleetFile, FleetHost
from dryrun_orchestrator.hosts import host as host_module
from dryrun_orchestrator.hosts.host import Host
from dryrun_orchestrator.hosts.hosts import Hosts, one_host
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.running.supervisor import Supervisor
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.session.preflight import Preflight
from dryrun_orchestrator.settings import Settings

LONGEST_SECONDS = 60
"""Whatever a test waits for takes a second, and several on a busy machine."""
CONFIG_KEYS = ["DISCOVERY_CONFIG", *(f"DISCOVERY_CONFIG_{part}" for part in range(1, 8))]


def image_id(number):
    return f"sha256:{number:064x}"


WEB, DB, NETWORK, DATABASE, PROBE = (image_id(number) for number in range(1, 6))

ALLOWLIST = {
    "version": 1,
    "images": {
        "discovery/test-web:1": {"id": WEB, "environment": ["SITE"], "tmpfs": {"/run": {"size": 1048576}}},
        "discovery/test-db:1": {"id": DB},
        "discovery/test-collector-network:1": {
            "id": NETWORK,
            "environment": CONFIG_KEYS,
            "capabilities": ["NET_RAW"],
        },
        "discovery/test-collector-database:1": {"id": DATABASE, "environment": CONFIG_KEYS, "stdin": True},
        "discovery/test-collector-probe:1.0": {
            "id": PROBE,
            "environment": CONFIG_KEYS,
            "capabilities": ["NET_RAW"],
        },
    },
}
TEMPLATE = """
x-dryrun:
  title: Two
  description: Two targets
  credentials: [{engine: postgresql, username: reader, password: hunter2}]
services:
  web:
    image: discovery/test-web:1
    environment: {SITE: shop}
    depends_on: {db: {condition: service_healthy}}
    x-ground-truth: [{kind: host, key: ""}, {kind: service, key: ":80/tcp"}]
  db:
    image: discovery/test-db:1
    x-ground-truth: [{kind: host, key: ""}]
    x-variants: [{x-ground-truth: [{kind: host, key: ""}, {kind: service, key: ":5432/tcp"}]}]
"""
MANIFEST = """
name: {name}
image: discovery/test-collector-{name}:1
summary: A collector of the test.
provides: {provides}
needs: {needs}
credentials: {credentials}
timeout_seconds: {timeout}
"""


def verdict(isolated, reason="the host is silent", exit_code=None):
    line = json.dumps({"type": "verdict", "isolated": isolated, "reason": reason})
    code = {True: 0, False: 1, None: 2}[isolated] if exit_code is None else exit_code
    return stdout(line, json.dumps({"type": "end", "discoveries": 0, "exit_code": code}))


def hosts(*names):
    lines = [json.dumps({"type": "discovery", "kind": "host", "key": name}) for name in names]
    return stdout(*lines, json.dumps({"type": "end", "discoveries": len(names)}))


NETWORK_OUTPUT = stdout(
    '{"type":"progress","done":0,"total":2}',
    '{"type":"discovery","kind":"host","key":"10.213.0.2"}',
    '{"type":"discovery","kind":"service","key":"10.213.0.2:80/tcp","data":{"name":"http"},"confidence":0.5}',
    '{"type":"discovery","kind":"service","key":"10.213.0.2:80/tcp","data":{"product":"nginx"}}',
    '{"type":"end","discoveries":3}',
)


def images(**changes):
    return {
        WEB: FakeImage(health_after=0.02),
        DB: FakeImage(health_after=0.02),
        NETWORK: FakeImage(log=NETWORK_OUTPUT, exit_after=0.05, log_pause=0.01),
        DATABASE: FakeImage(log=hosts(), exit_after=0.02),
        PROBE: FakeImage(log=verdict(isolated=True), exit_after=0.01),
        **changes,
    }


class Stage:
    """`async with stage.running()` is one life of the orchestrator; leaving it is `kill -9`."""

    def __init__(self, folder, engine=None, fleet=None):
        self.folder = folder
        self.engine = engine or FakeEngine(images())
        self.fleet = fleet
        """Host → (engine, places of containers, places of sessions); the first is the manager."""
        self.supervisor = None
        self.journal = None
        self.timeouts = {"network": 30, "database": 30}
        self.changes = {}
        self.drained = ()
        self.managers = ()
        self.labels = {}
        self.ends_early = False
        (folder / "templates").mkdir()
        (folder / "collectors").mkdir()
        (folder / "templates" / "two.yml").write_text(TEMPLATE)
        (folder / "allowlist.json").write_text(json.dumps(ALLOWLIST))

    @property
    def settings(self):
        return Settings.model_validate(
            {
                "token": "a-token-of-sixteen",
                "state_dir": self.folder / "state",
                "templates_dir": self.folder / "templates",
                "collectors_dir": self.folder / "collectors",
                "allowlist": self.folder / "allowlist.json",
                "reaper_seconds": 0.1,
                "engine_wait_seconds": 5,
                "provisioning_seconds": 30,
                "waiting_seconds": 30,
                **self.changes,
            }
        )

    def write_collectors(self):
        kinds = {
            "network": {"provides": "[host, service]", "needs": "[]", "credentials": "[]"},
            "database": {"provides": "[table]", "needs": "[service]", "credentials": "[postgresql]"},
        }
        for name, words in kinds.items():
            text = MANIFEST.format(name=name, timeout=self.timeouts[name], **words)
            (self.folder / "collectors" / f"{name}.yml").write_text(text)

    @contextlib.asynccontextmanager
    async def running(self):
        self.write_collectors()
        settings = self.settings
        places = Places(settings.allowlist, settings.collectors_dir, settings.templates_dir)
        files = OperatorFiles(places, settings.state_dir / "installed")
        self.journal = Journal.open(settings.state_dir)
        self.isolation = Isolation(self.engine, files, settings, self.journal.id)
        hosts = (
            one_host(self.engine, self.isolation, files, settings)
            if self.fleet is None
            else self.hosts_of_fleet(files, settings)
        )
        self.supervisor = Supervisor(hosts, self.journal, files, settings)
        task = asyncio.create_task(self.supervisor.run())
        try:
            yield self.supervisor
        finally:
            died = task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.engine.close()
            await self.journal.close()
            assert self.ends_early or not died, "the supervisor died"

    def hosts_of_fleet(self, files, settings):
        rows = {
            name: FleetHost(
                name, f"tcp://{name}:2376", Path("/"), containers, sessions, self.labels.get(name, {})
            )
            for name, (_, containers, sessions) in self.fleet.items()
        }
        managers = self.managers or tuple(rows)[:1]
        hosts = []
        for name, (engine, _, _) in self.fleet.items():
            named = one_of_fleet(name, engine, managers)
            isolation = Isolation(named, files, settings, self.journal.id)
            now = host_module.time.monotonic()
            hosts.append(Host(name, engine, named, isolation, Preflight(named), name in managers, now, now))
        file = FleetFile(rows, managers, encrypted=False, drained=frozenset(self.drained))
        return Hosts(hosts, files, settings, file)

    async def start(self, session_id=None, **request):
        session_id = session_id or uuid4()
        await self.supervisor.put(session_id, SessionRequest(template="two", **request), "ada")
        return session_id

    async def until(self, session_id, *phases):
        """Wait until the session is in one of `phases`; AssertionError when it ends elsewhere."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                signal = self.journal.events.signal()
                session = await self.supervisor.show(session_id)
                if session.phase in phases:
                    return session
                assert session.phase is not Phase.ENDED, f"ended ({session.outcome}: {session.reason})"
                await signal.wait()

    async def until_stored(self, session_id, *types):
        async with asyncio.timeout(LONGEST_SECONDS):
            while not await self.events_of(session_id, *types):
                await asyncio.sleep(0.01)

    @staticmethod
    async def eventually(condition):
        """Wait for what no event reports."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while not (found := condition()):
                await asyncio.sleep(0.01)
        return found

    def of_image(self, image):
        return [
            container for container in self.engine.containers.values() if container.spec.image_id == image
        ]

    async def ended(self, session_id):
        return await self.until(session_id, Phase.ENDED)

    async def events(self, session_id=None):
        stored = []
        while page := await self.journal.events.after((self.journal.id, len(stored)), 100_000):
            stored += map(Event.model_validate_json, page)
        assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
        return [event.data for event in stored if session_id in (None, event.session_id)]

    async def events_of(self, session_id, *types):
        return [event for event in await self.events(session_id) if event.type in types]

    def left(self, session_id):
        everything = [*self.engine.networks.values(), *self.engine.containers.values()]
        return [each for each in everything if each.spec.labels.get(labels.SESSION_ID) == str(session_id)]
