"""A container starts only if it is what the guard would have created, whoever created it."""

from typing import Any

import pytest
from guard_stage import SCAN_ID, WEB_ID, Guard, Words

from docker_guard.rules import labels

OF_IMAGE = {
    "Cmd": ["web"],
    "Entrypoint": None,
    "User": "web",
    "Env": ["PATH=/bin", "GREETING=hello"],
    "Labels": {"maintainer": "somebody"},
    "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9},
}
HOST: list[tuple[str, Any]] = [
    ("Privileged", True),
    ("Binds", ["/:/h"]),
    ("Mounts", [{"Type": "bind", "Source": "/", "Target": "/h"}]),
    ("VolumesFrom", ["other"]),
    ("Devices", [{"PathOnHost": "/dev/sda"}]),
    ("DeviceRequests", [{"Count": -1}]),
    ("GroupAdd", ["docker"]),
    ("Sysctls", {"net.ipv4.ip_forward": "1"}),
    ("PortBindings", {"80/tcp": [{"HostPort": "80"}]}),
    ("PidMode", "host"),
    ("UTSMode", "host"),
    ("UsernsMode", "host"),
    ("IpcMode", "shareable"),
    ("IpcMode", ""),
    ("CgroupnsMode", "host"),
    ("CgroupParent", "/"),
    ("MaskedPaths", []),
    ("MaskedPaths", None),
    ("ReadonlyPaths", ["/proc/bus"]),
    ("Runtime", "another"),
    ("ShmSize", 2**36),
    ("Init", True),
    ("OomScoreAdj", -1000),
    ("OomScoreAdj", 0),
    ("OomScoreAdj", None),
    ("OomScoreAdj", 999),
    ("OomKillDisable", True),
    ("Ulimits", [{"Name": "nofile", "Hard": 10**6, "Soft": 10**6}]),
    ("Ulimits", None),
    ("Ulimits", [{"Name": "msgqueue", "Hard": 0, "Soft": 0}]),
    ("ExtraHosts", ["a:10.0.0.1"]),
    ("Dns", ["10.0.0.1"]),
    ("Links", ["other:x"]),
    ("StorageOpt", {"size": "1T"}),
    ("CpuShares", 10**6),
    ("Annotations", {"run.oci": "x"}),
    ("RestartPolicy", {"Name": "always", "MaximumRetryCount": 0}),
    ("AutoRemove", True),
    ("CapDrop", None),
    ("CapAdd", ["CHOWN", "SYS_ADMIN"]),
    ("SecurityOpt", None),
    ("SecurityOpt", ["no-new-privileges:true", "seccomp=unconfined"]),
    ("Memory", 0),
    ("Memory", 2**40),
    ("MemorySwap", -1),
    ("MemorySwap", 2**28),
    ("NanoCpus", 0),
    ("NanoCpus", 9_999),
    ("PidsLimit", None),
    ("PidsLimit", -1),
    ("ReadonlyRootfs", False),
    ("Tmpfs", {}),
    ("Tmpfs", {"/run": "rw,exec,size=1048576"}),
    ("Tmpfs", {"/run": "rw,size=1048576,mode=0755,uid=33,gid=33"}),
    ("Tmpfs", {"/run": "rw,noexec,nosuid,nodev,size=1048577,mode=0755,uid=33,gid=33"}),
    ("LogConfig", {"Type": "json-file", "Config": {}}),
    ("LogConfig", {"Type": "syslog", "Config": {"max-size": "1000", "max-file": "1"}}),
    ("NetworkMode", "host"),
    ("NetworkMode", "other"),
    ("NewPower", {"of": "an engine to come"}),
]
CONFIG: list[tuple[str, Any]] = [
    ("Cmd", ["sh"]),
    ("Cmd", None),
    ("Entrypoint", ["sh"]),
    ("User", "0"),
    ("WorkingDir", "/x"),
    ("Healthcheck", {"Test": ["CMD", "true"], "Interval": 1}),
    ("ExposedPorts", {"22/tcp": {}}),
    ("StopSignal", "SIGSTOP"),
    ("StopTimeout", 10**6),
    ("Hostname", "other"),
    ("Domainname", "x"),
    ("Volumes", {"/data": {}}),
    ("Tty", True),
    ("OpenStdin", True),
    ("Env", ["PATH=/evil", "GREETING=hello"]),
    ("Env", ["PATH=/bin", "LD_PRELOAD=/x"]),
    ("Shell", ["x"]),
    ("NewPower", True),
]
LABELS = [
    (labels.OWNER, "somebody"),
    (labels.ROLE, "collector"),
    (labels.IMAGE, "other"),
    (labels.EXPIRES_AT, "2099-01-01T00:00:00Z"),
    ("more", "x"),
]


@pytest.fixture
async def made(guard: Guard) -> dict[str, Any]:
    """The engine's inspection of a container that was created through the guard."""
    guard.engine.image_configs[WEB_ID] = OF_IMAGE
    words = Words()
    await guard.make_session(words)
    made = await guard.make_container(words.container(Env=["GREETING=you"]))
    return guard.engine.containers[made]


async def refused(guard: Guard, made: dict[str, Any]) -> bool:
    """Return whether a start is refused and never reaches the engine."""
    reply = await guard.ask("POST", f"/v1.45/containers/{made['Id']}/start")
    asked = any(path.endswith("/start") for _, path, _, _ in guard.engine.asked)
    assert asked is (made["State"] == "running") is (reply.status == 204)
    return reply.status == 403


async def test_starts_what_it_created_and_starts_it_again(guard: Guard, made):
    assert not await refused(guard, made)
    assert (await guard.ask("POST", f"/v1.45/containers/{made['Id']}/start")).status == 304
    made["State"] = "exited"
    assert (await guard.ask("POST", f"/v1.45/containers/{made['Id']}/start")).status == 204


async def test_starts_again_what_failed_to_start_on_a_full_disk(guard: Guard, made):
    (endpoint,) = made["NetworkSettings"]["Networks"].values()
    endpoint |= {"EndpointID": "e" * 64, "MacAddress": "02:42:0a:d5:04:05"}
    assert not await refused(guard, made)


@pytest.mark.parametrize(("key", "value"), HOST, ids=str)
async def test_refuses_to_start_what_has_more_of_the_host(guard: Guard, made, key, value):
    made["HostConfig"][key] = value
    assert await refused(guard, made)
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made['Id']}")).status == 204


@pytest.mark.parametrize(("key", "value"), CONFIG, ids=str)
async def test_refuses_to_start_what_differs_from_its_image(guard: Guard, made, key, value):
    made["Config"][key] = value
    assert await refused(guard, made)


@pytest.mark.parametrize(("key", "value"), LABELS)
async def test_refuses_to_start_what_is_labelled_as_another(guard: Guard, made, key, value):
    made["Config"]["Labels"][key] = value
    assert await refused(guard, made)


async def test_refuses_to_start_what_is_in_another_network_too(guard: Guard, made):
    made["NetworkSettings"]["Networks"]["bridge"] = {}
    assert await refused(guard, made)


async def test_refuses_to_start_what_has_an_address_outside_of_its_subnet(guard: Guard, made):
    (endpoint,) = made["NetworkSettings"]["Networks"].values()
    endpoint["IPAMConfig"] = {"IPv4Address": "10.213.4.1"}
    assert await refused(guard, made)


@pytest.mark.parametrize("endpoint_id", ["", "e" * 64])
async def test_refuses_to_start_what_has_a_hardware_address_of_its_own(guard: Guard, made, endpoint_id):
    (endpoint,) = made["NetworkSettings"]["Networks"].values()
    endpoint |= {"EndpointID": endpoint_id, "MacAddress": "02:42:0a:00:00:99"}
    assert await refused(guard, made)


async def test_refuses_to_start_what_has_a_volume(guard: Guard, made):
    made["Mounts"] = [{"Type": "volume", "Name": "x", "Destination": "/data"}]
    assert await refused(guard, made)


@pytest.mark.parametrize("image", [f"sha256:{'9' * 64}", SCAN_ID])
async def test_refuses_to_start_what_is_of_another_image(guard: Guard, made, image):
    made["Image"] = image
    assert await refused(guard, made)
