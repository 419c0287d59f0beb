"""The campaign's own Docker Engine, on a small disk: it may be killed and filled up (root).

It has a network namespace of its own, since an engine takes the default bridge of the namespace that it runs
in for its own, and removes it when set to none.
"""

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from fleet_lab import LAYERS
from local_stack import ROOT
from small_disks import SmallDisk, run, small_disk

from dryrun_local.machine.engine_view import DEFAULT_HOST

HOST_RULE = ROOT / "deploy" / "host-rule" / "dryrun-host-rule"
LINKED_IMAGES = ROOT / "tests" / "support" / "linked-images"
DISK_MIB = 6_000
READY_SECONDS = 60.0
LOAD_SECONDS = 600.0


class OwnEngine:
    """Started, killed and restarted; its containers end with it."""

    def __init__(self, folder: Path, disk: SmallDisk, namespace: str) -> None:
        self._folder = folder
        self.namespace = namespace
        self.disk = disk
        self.socket = folder / "engine.sock"
        self.log = folder / "engine.log"
        self._process: asyncio.subprocess.Process | None = None
        self.lock = asyncio.Lock()
        """Held by the fault that has the process in hand: two faults on it come one after the other."""

    @property
    def docker_host(self) -> str:
        """As DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    @property
    def data(self) -> Path:
        """Its data root."""
        return self.disk.folder / "data"

    async def start(self) -> None:
        """Start it and wait until it answers; again when it ends meanwhile, as on a disk that is full."""
        async with asyncio.timeout(READY_SECONDS):
            await self._spawn()
            while not await self._answers():
                await asyncio.sleep(0.2)
                if self._process is None or self._process.returncode is not None:
                    await asyncio.sleep(1)
                    await self._spawn()

    async def _spawn(self) -> None:
        pid_file = self._folder / "engine.pid"
        pid_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                # Not `ip netns exec`: that hides the cgroups.
                *("nsenter", f"--net=/run/netns/{self.namespace}", "dockerd"),
                f"--data-root={self.data}",
                f"--exec-root={self._folder / 'exec'}",
                f"--host={self.docker_host}",
                f"--pidfile={pid_file}",
                # Sessions bring networks of their own, and the host rule shuts those.
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _answers(self) -> bool:
        process = await asyncio.create_subprocess_exec(
            "docker",
            "--host",
            self.docker_host,
            "version",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return await process.wait() == 0

    async def end(self, number: signal.Signals) -> None:
        """Send a signal and wait for its end."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            async with asyncio.timeout(60):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def freeze(self, *, frozen: bool) -> None:
        """Stop it as a debugger does, or let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    async def load(self, images: Collection[str]) -> None:
        """Copy images from this machine's engine; their ids stay."""
        source = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        command = (
            f"docker --host {source} save {' '.join(images)} | docker --host {self.docker_host} load --quiet"
        )
        process = await asyncio.create_subprocess_exec("bash", "-o", "pipefail", "-c", command)
        async with asyncio.timeout(LOAD_SECONDS):
            assert await process.wait() == 0, "the images could not be copied"


@asynccontextmanager
async def open_own_engine(folder: Path, images: Collection[str]) -> AsyncIterator[OwnEngine]:
    """Run an engine that holds `images` for the time of the block."""
    with small_disk(folder / "engine", DISK_MIB) as disk, _network_namespace() as namespace:
        engine = OwnEngine(folder, disk, namespace)
        # An engine that a worker started shows the machine's images: these need not be copied.
        are_linked = LAYERS.is_dir()
        if are_linked:
            run(str(LINKED_IMAGES), str(LAYERS), str(engine.data))
        await engine.start()
        try:
            if not are_linked:
                await engine.load(images)
            yield engine
        finally:
            disk.free()
            # What a fault left half-done: it may be frozen, or gone.
            with suppress(ProcessLookupError):
                engine.freeze(frozen=False)
            await engine.end(signal.SIGTERM)


@contextmanager
def _network_namespace() -> Iterator[str]:
    """Make one in which the host rule stands, as on every host of sessions."""
    name = f"dc-{secrets.token_hex(3)}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
        run("ip", "netns", "exec", name, str(HOST_RULE), "apply")
        yield name
    finally:
        run("ip", "netns", "delete", name)
