"""One way to make networks and containers, on the fake engine and on the real one."""

import asyncio
import json
import math
import os
import random
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from ipaddress import IPv4Network

import pytest
from engine_in_memory.engine import FakeContainer, FakeEngine, FakeImage, stdout

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import ConflictError, NotFoundError, SubnetTakenError
from dryrun_orchestrator.engine.protocol import ContainerDetail, ContainerSpec, Engine, LogChunk, NetworkSpec

DOCKER_HOST = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
POOL = IPv4Network("10.213.192.0/18")
LABEL = "dryrun.engine-test"
BASE = "discovery/base:13"
PATIENCE_SECONDS = 15.0

# Behaviour → what its image does, said twice: as a Dockerfile, and to the fake.
_IDLE = """trap 'exit 143' TERM; sleep infinity & wait"""
_CHATTY = "echo one; sleep .2; echo oops >&2; sleep .2; printf 'two\\nthree\\n'; exit 3"
_REPORT = """
echo "secret=$SECRET"; echo "uid=$(id -u)"; echo "hostname=$(hostname)"
sed -n 's/^\\(CapBnd\\|CapEff\\|NoNewPrivs\\|Seccomp\\):[[:space:]]*/\\1=/p' /proc/self/status
cd /sys/fs/cgroup
if [ -e pids.max ]; then
    echo cgroup=2
    echo "memory=$(cat memory.max)"; echo "swap=$(cat memory.swap.max)"
    echo "pids=$(cat pids.max)"; echo "cpu=$(cat cpu.max)"
else
    echo cgroup=1
    echo "memory=$(cat memory/memory.limit_in_bytes)"; echo "swap=$(cat memory/memory.memsw.limit_in_bytes)"
    echo "pids=$(cat pids/pids.max)"; echo "cpu=$(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us | xargs)"
fi
touch /made 2>/dev/null && echo root=writable || echo root=read-only
grep ' /scratch ' /proc/mounts | sed 's/^/mount=/'
"""
DOCKERFILES = {
    "idle": {"CMD": _IDLE},
    "healthy": {
        "CMD": _IDLE,
        "HEALTHCHECK": "--interval=30s --start-period=20s --start-interval=300ms CMD true",
    },
    "never-healthy": {
        "CMD": _IDLE,
        "HEALTHCHECK": "--interval=30s --start-period=20s --start-interval=5s CMD false",
    },
    "chatty": {"CMD": _CHATTY},
    "talker": {"CMD": "echo first; sleep .7; echo second"},
    "listener": {"CMD": 'read -r first; read -r second; echo "$second"'},
    "flood": {"CMD": "seq 1000000"},
    "reporter": {"CMD": _REPORT},
}


async def _listen(container: FakeContainer) -> int:
    container.say(await container.line() + b"\n")
    return 0


FAKES = {
    "listener": FakeImage(program=_listen),
    "idle": FakeImage(),
    "healthy": FakeImage(health_after=0.05),
    "never-healthy": FakeImage(health_after=math.inf),
    "chatty": FakeImage(
        log=(*stdout("one"), LogChunk("stderr", b"oops\n"), *stdout("two", "three")),
        exit_after=0.0,
        exit_code=3,
    ),
    "talker": FakeImage(log=stdout("first", "second"), log_pause=0.05, exit_after=0.0),
}


class Bench:
    """An engine, and what a test makes on it; all of that is removed afterwards."""

    def __init__(self, engine: Engine, images: dict[str, str]) -> None:
        self.engine = engine
        """What tests call; one may put another way to the same engine here."""
        self._own = engine
        self.images = images
        self.mark = secrets.token_hex(8)
        self.label = f"{LABEL}={self.mark}"
        self._subnets = random.sample(list(POOL.subnets(new_prefix=27)), 40)

    def network_spec(self, **changes: object) -> NetworkSpec:
        given = {
            "name": f"dryrun-enginetest-{secrets.token_hex(6)}",
            "bridge": f"dr-{secrets.token_hex(6)}",
            "subnet": str(self._subnets.pop()),
            "labels": {LABEL: self.mark},
        }
        return NetworkSpec(**{**given, **changes})

    async def network(self, **changes: object) -> tuple[str, NetworkSpec]:
        """Create a network on a subnet that is free."""
        while True:
            spec = self.network_spec(**changes)
            try:
                return await self.engine.create_network(spec), spec
            except SubnetTakenError:
                assert "subnet" not in changes

    def container_spec(self, image: str, network: NetworkSpec, **changes: object) -> ContainerSpec:
        given = {
            "name": f"dryrun-enginetest-{secrets.token_hex(6)}",
            "image_id": self.images[image],
            "image_name": f"enginetest/{image}:1",
            "network": network.name,
            "address": str(IPv4Network(network.subnet)[5]),
            "aliases": ("service",),
            "labels": {LABEL: self.mark},
        }
        return ContainerSpec(**{**given, **changes})

    async def container(self, image: str, network: NetworkSpec, **changes: object) -> str:
        return await self.engine.create_container(self.container_spec(image, network, **changes))

    async def until(self, container_id: str, holds: Callable[[ContainerDetail], bool]) -> ContainerDetail:
        """Wait until the container's inspection satisfies a condition."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds(detail := await self.engine.inspect_container(container_id)):
            assert time.monotonic() < end, detail
            await asyncio.sleep(0.02)
        return detail

    async def log(self, container_id: str, *, follow: bool) -> dict[str, bytes]:
        """Read the whole log, by stream."""
        said = {"stdout": b"", "stderr": b""}
        async with asyncio.timeout(60), aclosing(self.engine.read_log(container_id, follow=follow)) as chunks:
            async for chunk in chunks:
                said[chunk.stream] += chunk.data
        return said

    def kill(self, container_id: str) -> None:
        """Kill a container behind the client's back."""
        if isinstance(self._own, FakeEngine):
            self._own.kill(container_id)
        else:
            _docker("kill", container_id)

    async def remove_network(self, network_id: str) -> None:
        """Remove a network, patiently: it may have active endpoints for a moment."""
        await self.eventually(lambda: self.engine.remove_network(network_id))

    async def eventually(self, call: Callable[[], Awaitable[None]]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await call()
            except ConflictError:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)

    async def clean_up(self) -> None:
        await self.engine.close()
        self.engine = self._own
        for container in await self.engine.list_containers(self.label):
            try:
                await self.engine.remove_container(container.id)
            except NotFoundError:
                continue
        for network in await self.engine.list_networks(self.label):
            await self.remove_network(network.id)
        await self.engine.close()


@pytest.fixture(scope="session")
def real_images() -> Iterator[dict[str, str]]:
    """Behaviour → id of an image that shows it; built by the docker command, for the engine cannot."""
    if not _docker("images", "-q", BASE):
        pytest.fail(f"{BASE} is not on this engine; `make test` builds it", pytrace=False)
    run = secrets.token_hex(4)
    images = {}
    try:
        for behaviour, lines in DOCKERFILES.items():
            images[behaviour] = _build(f"enginetest/{behaviour}:{run}", lines)
        yield images
    finally:
        for behaviour in images:
            _docker("rmi", f"enginetest/{behaviour}:{run}")


def _build(tag: str, lines: dict[str, str]) -> str:
    dockerfile = f"FROM {BASE}\nUSER 1000\nCMD {json.dumps(['/bin/sh', '-c', lines['CMD']])}\n"
    if "HEALTHCHECK" in lines:
        dockerfile += f"HEALTHCHECK {lines['HEALTHCHECK']}\n"
    _docker("build", "-q", "-t", tag, "-", stdin=dockerfile)
    return _docker("image", "inspect", "-f", "{{.Id}}", tag)


def _docker(*arguments: str, stdin: str = "") -> str:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def docker() -> Callable[..., str]:
    """Run a docker command, beside the engine's protocol."""
    return _docker


@pytest.fixture
async def real_bench(real_images: dict[str, str]) -> AsyncIterator[Bench]:
    bench = Bench(DockerEngine(DOCKER_HOST), real_images)
    yield bench
    await bench.clean_up()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.engine)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """The fake and the real engine in turn."""
    if request.param == "fake":
        async with FakeEngine({f"sha256:{name}": image for name, image in FAKES.items()}) as engine:
            yield Bench(engine, {name: f"sha256:{name}" for name in FAKES})
        return
    bench = Bench(DockerEngine(DOCKER_HOST), request.getfixturevalue("real_images"))
    yield bench
    await bench.clean_up()
