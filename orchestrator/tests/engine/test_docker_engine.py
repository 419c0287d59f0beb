"""The adapter on the real engine: what containers get, what is called, how much a log may hold."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator

import pytest

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import EngineUnreachableError
from dryrun_orchestrator.engine.protocol import Limits, Tmpfs

pytestmark = pytest.mark.engine

MIB = 1024 * 1024
TURNS = 2
MOST_TIMES_THE_COMMAND = 3
"""A log is read in at most so many times what `docker logs` takes."""


async def test_every_container_is_hardened_and_limited_as_the_record_says(real_bench, docker):
    _, network = await real_bench.network()
    spec = real_bench.container_spec(
        "idle", network, tmpfs={"/scratch": Tmpfs(size=MIB, mode="1777", uid=1000)}
    )
    container = await real_bench.engine.create_container(spec)
    [inspected] = json.loads(docker("inspect", container))
    host, config = inspected["HostConfig"], inspected["Config"]
    expected = {
        "Memory": 512 * MIB,
        "MemorySwap": 512 * MIB,
        "NanoCpus": 500_000_000,
        "PidsLimit": 100,
        "OomScoreAdj": 1000,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": [],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "NetworkMode": network.name,
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "CgroupnsMode": "private",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "json-file", "Config": {"max-file": "1", "max-size": str(10 * MIB)}},
        "Tmpfs": {"/scratch": f"rw,noexec,nosuid,nodev,size={MIB},mode=1777,uid=1000,gid=0"},
        "Binds": None,
        "VolumesFrom": None,
        "PublishAllPorts": False,
        "AutoRemove": False,
    }
    assert {key: host[key] for key in expected} == expected
    for absent in (
        "PortBindings",
        "Devices",
        "DeviceRequests",
        "DeviceCgroupRules",
        "ExtraHosts",
        "Links",
        "Sysctls",
    ):
        assert not host.get(absent), absent
    assert inspected["Mounts"] == []
    assert inspected["Image"] == spec.image_id
    assert config["Hostname"] == container[:12]
    assert (config["Tty"], config["OpenStdin"]) == (False, False)
    assert not config.get("Volumes")
    assert list(inspected["NetworkSettings"]["Networks"]) == [network.name]


async def test_a_container_sees_its_hardening_from_inside(real_bench):
    _, network = await real_bench.network()
    spec = real_bench.container_spec(
        "reporter",
        network,
        environment={"SECRET": "one=two $three"},
        capabilities=("NET_RAW",),
        tmpfs={"/scratch": Tmpfs(size=MIB, mode="0700", uid=1000, gid=1000)},
    )
    container = await real_bench.engine.create_container(spec)
    await real_bench.engine.start_container(container)
    said = (await real_bench.log(container, follow=True))["stdout"].decode()
    seen = dict(line.split("=", 1) for line in said.splitlines())
    assert seen["secret"] == "one=two $three"
    assert seen["uid"] == "1000"
    assert seen["hostname"] == container[:12]
    assert int(seen["CapBnd"], 16) == 1 << 13  # NET_RAW alone
    assert int(seen["CapEff"], 16) == 0
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
    assert seen["memory"] == str(512 * MIB)
    # version 2 of control groups states swap alone, version 1 memory and swap together
    assert seen["swap"] == ("0" if seen["cgroup"] == "2" else str(512 * MIB))
    assert (seen["pids"], seen["cpu"]) == ("100", "50000 100000")
    assert seen["root"] == "read-only"
    options = seen["mount"].split()[3].split(",")
    assert {"rw", "noexec", "nosuid", "nodev", "size=1024k", "mode=700", "uid=1000", "gid=1000"} <= set(
        options
    )


async def test_a_network_is_internal_and_the_host_has_no_address_in_it(real_bench, docker):
    network_id, spec = await real_bench.network()
    [inspected] = json.loads(docker("network", "inspect", network_id))
    assert (inspected["Internal"], inspected["EnableIPv6"], inspected["Driver"]) == (True, False, "bridge")
    assert (inspected["Attachable"], inspected["Ingress"], inspected["Scope"]) == (False, False, "local")
    assert inspected["IPAM"]["Config"][0]["Subnet"] == spec.subnet
    assert inspected["Options"] == {
        "com.docker.network.bridge.name": spec.bridge,
        "com.docker.network.bridge.inhibit_ipv4": "true",
    }
    assert await _ipv4_addresses_of(spec.bridge) == ""


async def _ipv4_addresses_of(interface: str) -> str:
    shown = await asyncio.create_subprocess_exec(
        "ip", "-4", "-o", "addr", "show", "dev", interface, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await shown.communicate()
    assert shown.returncode == 0
    return output.decode()


async def test_a_million_lines_arrive_whole(real_bench, docker):
    _, network = await real_bench.network()
    limits = Limits(log_bytes=300 * MIB)
    container = await real_bench.container("flood", network, limits=limits)
    await real_bench.engine.start_container(container)
    followed = (await real_bench.log(container, follow=True))["stdout"]
    seconds, seconds_of_the_command = [], []
    # By turns, and of each the quickest: what runs beside holds up both, at one time or another.
    for _ in range(TURNS):
        begun = time.monotonic()
        read = (await real_bench.log(container, follow=False))["stdout"]
        seconds.append(time.monotonic() - begun)
        begun = time.monotonic()
        docker("logs", container)
        seconds_of_the_command.append(time.monotonic() - begun)
    expected = hashlib.sha256(b"".join(b"%d\n" % number for number in range(1, 1_000_001))).digest()
    assert hashlib.sha256(followed).digest() == expected
    assert hashlib.sha256(read).digest() == expected
    assert min(seconds) < MOST_TIMES_THE_COMMAND * min(seconds_of_the_command), (
        seconds,
        seconds_of_the_command,
    )


# --- between the adapter and the engine --------------------------------------------------------------------


class Relay:
    """Passes connections on to the engine's socket, keeps the request lines, and cuts logs on demand."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.cut_logs_after: list[int] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = head.split(b"\r\n")[0].decode()
            self.requests.append(request)
            engine_writer.write(head)
            ceiling = self.cut_logs_after.pop(0) if "/logs" in request and self.cut_logs_after else None
            async with asyncio.TaskGroup() as group:
                upward = group.create_task(_pass_on(reader, engine_writer))
                await _pass_on(engine_reader, writer, ceiling)
                upward.cancel()
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            engine_writer.close()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ceiling: int | None = None
) -> None:
    left = float("inf") if ceiling is None else ceiling
    while left and (data := await reader.read(65536 if ceiling is None else min(65536, int(left)))):
        writer.write(data)
        await writer.drain()
        left -= len(data)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield relay
        server.close_clients()


ALLOWED = [
    r"GET /_ping",
    r"GET /version",
    r"POST /v1\.4[45]/networks/create",
    r"GET /v1\.4[45]/networks\?filters=[^&]+",
    r"DELETE /v1\.4[45]/networks/[0-9a-f]{64}",
    r"POST /v1\.4[45]/containers/create\?name=[a-z0-9-]+",
    r"POST /v1\.4[45]/containers/[0-9a-f]{64}/start",
    r"POST /v1\.4[45]/containers/[0-9a-f]{64}/attach\?stdin=1&stream=1",
    r"GET /v1\.4[45]/containers/json\?all=1&filters=[^&]+",
    r"GET /v1\.4[45]/containers/[0-9a-f]{64}/json",
    r"DELETE /v1\.4[45]/containers/[0-9a-f]{64}\?v=1&force=1",
    r"GET /v1\.4[45]/containers/[0-9a-f]{64}/stats\?stream=false&one-shot=true",
    r"GET /v1\.4[45]/containers/[0-9a-f]{64}/logs\?stdout=1&stderr=1&follow=[01]",
    r"GET /v1\.4[45]/events\?filters=[^&]+",
]


async def live_a_whole_life(bench) -> None:
    """Make every call of the protocol at least once."""
    engine = bench.engine
    await engine.ping()
    await engine.version()
    async with engine.events() as events:
        network_id, network = await bench.network()
        await engine.list_networks(bench.label)
        assert (await anext(events)).id == network_id
        container = await bench.container("chatty", network)
        await engine.start_container(container)
        assert (await bench.log(container, follow=True))["stdout"] == b"one\ntwo\nthree\n"
        await engine.read_traffic(container)
        await engine.send_input(container, b"")
        await engine.inspect_container(container)
        await engine.list_containers(bench.label)
        await engine.remove_container(container)
        await bench.remove_network(network_id)


async def test_makes_only_the_calls_that_a_proxy_has_to_allow(real_bench, relay):
    real_bench.engine = DockerEngine(relay.url)
    await live_a_whole_life(real_bench)
    for request in relay.requests:
        call = request.removesuffix(" HTTP/1.1")
        assert any(re.fullmatch(allowed, call) for allowed in ALLOWED), call
    for allowed in ALLOWED:
        assert any(re.fullmatch(f"{allowed} HTTP/1.1", request) for request in relay.requests), allowed


async def test_a_log_of_a_running_container_that_is_cut_is_never_taken_for_its_end(real_bench, relay):
    _, network = await real_bench.network()
    container = await real_bench.container("chatty", network)
    await real_bench.engine.start_container(container)
    whole = await real_bench.log(container, follow=True)
    real_bench.engine = DockerEngine(relay.url)
    length = await _answer_length(relay, container)
    for position in range(1, length, 7):
        relay.cut_logs_after = [position, position]  # aiohttp asks again when it got no whole head
        with pytest.raises(EngineUnreachableError):
            await real_bench.log(container, follow=True)
    relay.cut_logs_after = []
    assert await real_bench.log(container, follow=True) == whole


async def _answer_length(relay: Relay, container: str) -> int:
    host, port = relay.url.removeprefix("tcp://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = f"/v1.44/containers/{container}/logs?stdout=1&stderr=1&follow=1"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read(-1)
    writer.close()
    return len(answer)
