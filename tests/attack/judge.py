"""Says what is wrong with a container or a network that the engine holds; knows no guard.

The rules are written out once more, from the design's section 6, and read the engine's own account only.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, ip_address
from typing import Any, Final

from guard_lab import SESSION_LABEL, Lab

_MEMORY: Final = 512 * 1024 * 1024
_LOG_BYTES: Final = {"target": 10 * 1024 * 1024, "collector": 128 * 1024 * 1024}
_SESSION: Final = timedelta(minutes=30, seconds=5)
_POOL: Final = IPv4Network("10.213.0.0/16")
_DESIGN: Final = {
    f"discovery.dryrun.{name}"
    for name in ("session_id", "owner", "service", "role", "template", "image", "expires_at")
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")

_NOTHING: Final = [
    "Binds",
    "Mounts",
    "VolumesFrom",
    "VolumeDriver",
    "ContainerIDFile",
    "Devices",
    "DeviceRequests",
    "DeviceCgroupRules",
    "GroupAdd",
    "ExtraHosts",
    "Links",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "PortBindings",
    "PublishAllPorts",
    "Privileged",
    "AutoRemove",
    "PidMode",
    "UTSMode",
    "UsernsMode",
    "Cgroup",
    "CgroupParent",
    "Sysctls",
    "StorageOpt",
    "OomKillDisable",
    "Annotations",
    "Isolation",
    "CpuShares",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpusetCpus",
    "CpusetMems",
    "CpuCount",
    "CpuPercent",
    "BlkioWeight",
    "BlkioWeightDevice",
    "BlkioDeviceReadBps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteIOps",
    "MemoryReservation",
    "KernelMemory",
    "KernelMemoryTCP",
    "IOMaximumIOps",
    "IOMaximumBandwidth",
    "Init",
    "Capabilities",
    "Rootfs",
]
"""HostConfig fields that may only be empty, zero or false, whichever the engine writes."""
_MASKED: Final = {"/proc/kcore", "/proc/keys", "/sys/firmware", "/proc/timer_list", "/proc/sched_debug"}
_READ_ONLY: Final = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"}
_NO_CONFIG: Final = [
    "Domainname",
    "MacAddress",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "AttachStdin",
    "NetworkDisabled",
    "StopTimeout",
    "Shell",
]
_IMAGES_OWN: Final = [
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "Healthcheck",
    "StopSignal",
    "OnBuild",
    "ExposedPorts",
    "Volumes",
    "ArgsEscaped",
]


def container_faults(
    lab: Lab, document: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what a container has that none may have. `images` is their configuration by allowlisted ID."""
    image = document["Image"]
    if image not in images:
        yield f"image {image} is not in the allowlist"
        return
    listed = lab.allowlist()["images"]
    name = next(name for name, entry in listed.items() if entry["id"] == image)
    host, config = document["HostConfig"], document["Config"]
    role = "collector" if name.startswith("discovery/test-collector-") else "target"
    yield from _host_faults(host, listed[name], role)
    yield from _config_faults(config, listed[name], images[image], document["Id"])
    yield from _label_faults(lab, config["Labels"], images[image]["Labels"] or {}, name, role)
    yield from _network_faults(lab, document)
    if document["Mounts"]:
        yield f"mounts {document['Mounts']}"
    if not _PLAIN.fullmatch(document["Name"].removeprefix("/")):
        yield f"name {document['Name']!r}"


def _host_faults(host: Mapping[str, Any], listed: Mapping[str, Any], role: str) -> Iterator[str]:
    yield from (f"HostConfig.{name} is {host[name]!r}" for name in _NOTHING if host.get(name))
    unlimited = [
        name for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit") if not (host[name] or 0) > 0
    ]
    yield from (f"{name} is {host[name]}" for name in unlimited)
    expected = {
        "Memory": host["Memory"] <= _MEMORY,
        "MemorySwap": host["MemorySwap"] == host["Memory"],
        "MemorySwappiness": host["MemorySwappiness"] is None,
        # Below 1 ms in 100 ms the kernel has no quota; below 1 µs the engine sets none.
        "NanoCpus": 10_000_000 <= host["NanoCpus"] <= 500_000_000,
        "PidsLimit": (host["PidsLimit"] or 0) <= 100,
        "OomScoreAdj": host["OomScoreAdj"] == 1000,
        "Ulimits": {each["Name"]: each["Hard"] for each in host["Ulimits"] or ()}
        == {"msgqueue": 0, "sigpending": 1024},
        "CapDrop": host["CapDrop"] == ["ALL"],
        "CapAdd": _without_prefix(host["CapAdd"]) == set(listed["capabilities"]),
        "SecurityOpt": host["SecurityOpt"] in (["no-new-privileges:true"], ["no-new-privileges"]),
        "IpcMode": host["IpcMode"] in ("private", "none"),
        "CgroupnsMode": host["CgroupnsMode"] == "private",
        "ReadonlyRootfs": host["ReadonlyRootfs"] is True or not listed["read_only"],
        "RestartPolicy": host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0},
        "Runtime": host["Runtime"] == "runc",
        "ShmSize": host["ShmSize"] <= 64 * 1024 * 1024,
        "ConsoleSize": host["ConsoleSize"] == [0, 0],
        "MaskedPaths": set(host["MaskedPaths"] or ()) >= _MASKED,
        "ReadonlyPaths": set(host["ReadonlyPaths"] or ()) >= _READ_ONLY,
        "Tmpfs": _tmpfs(host.get("Tmpfs")) == {path: _size(entry) for path, entry in listed["tmpfs"].items()},
        "LogConfig": _log_is_bounded(host["LogConfig"], _LOG_BYTES[role]),
    }
    yield from (
        f"HostConfig.{name} is {host.get(name)!r}" for name, is_right in expected.items() if not is_right
    )


def _without_prefix(capabilities: Iterable[str] | None) -> set[str]:
    return {name.removeprefix("CAP_") for name in capabilities or ()}


def _size(entry: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(entry[key]) for key in ("size", "uid", "gid", "mode")}


def _tmpfs(mounts: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    found = {}
    for path, text in (mounts or {}).items():
        options = text.split(",")
        keyed = dict(option.split("=", 1) for option in options if "=" in option)
        flags = {option for option in options if "=" not in option}
        twice = len(keyed) + len(flags) != len(options)
        wrong = flags not in ({"rw", "noexec", "nosuid", "nodev"}, {"noexec", "nosuid", "nodev"})
        found[path] = {"wrong": text} if twice or wrong else keyed
    return found


def _log_is_bounded(log: Mapping[str, Any], most: int) -> bool:
    options = log["Config"]
    if log["Type"] != "json-file" or set(options) != {"max-size", "max-file"}:
        return False
    sizes = {"": 1, "k": 1000, "m": 1000**2, "K": 1024, "M": 1024**2}
    size = re.fullmatch(r"(\d+)([kmKM]?)", options["max-size"])
    return size is not None and int(size[1]) * sizes[size[2]] * int(options["max-file"]) <= most


def _config_faults(
    config: Mapping[str, Any], listed: Mapping[str, Any], image: Mapping[str, Any], container: str
) -> Iterator[str]:
    yield from (f"Config.{name} is {config[name]!r}" for name in _NO_CONFIG if config.get(name))
    for name in _IMAGES_OWN:
        if (config.get(name) or None) != (image.get(name) or None):
            yield f"Config.{name} is {config.get(name)!r}, the image's is {image.get(name)!r}"
    if config["Hostname"] != container[:12]:
        yield f"Hostname is {config['Hostname']!r}"
    own = set(image["Env"] or ())
    keys = [entry.partition("=")[0] for entry in config["Env"] or () if entry not in own]
    if set(keys) - set(listed["environment"]) or len(keys) != len(set(keys)):
        yield f"environment keys {keys[:5]}"
    if own - set(config["Env"] or ()):
        yield "the image's environment was changed"
    if any("\0" in entry for entry in config["Env"] or ()):
        yield "a NUL in the environment"


def _label_faults(
    lab: Lab, labels: Mapping[str, str], own: Mapping[str, str], image: str, role: str
) -> Iterator[str]:
    carried = {key: value for key, value in labels.items() if own.get(key) != value}
    if set(carried) != _DESIGN:
        yield f"labels {sorted(carried)[:9]}"
        return
    values = {key.removeprefix("discovery.dryrun."): value for key, value in carried.items()}
    if (values["role"], values["image"]) != (role, image):
        yield f"says to be {values['role']} {values['image']}, is {role} {image}"
    if values["owner"] != lab.facts["OWNER"] or values["expires_at"] != lab.facts["EXPIRES"]:
        yield f"owner {values['owner']} or deadline {values['expires_at']} is not its network's"
    if values["session_id"] not in (lab.facts["SESSION"], lab.facts["OTHER_SESSION"]):
        yield f"session {values['session_id']} has no network"
    for name in ("service", "template"):
        if not _PLAIN.fullmatch(values[name]):
            yield f"label {name} {values[name][:40]!r}"


def _network_faults(lab: Lab, document: Mapping[str, Any]) -> Iterator[str]:
    session = document["Config"]["Labels"].get(SESSION_LABEL, "")
    prefix = "OTHER_" if session == lab.facts["OTHER_SESSION"] else ""
    own = {lab.facts[f"{prefix}NETWORK"], lab.facts[f"{prefix}NETWORK_ID"]}
    networks = document["NetworkSettings"]["Networks"]
    if document["HostConfig"]["NetworkMode"] not in own or len(networks) != 1 or set(networks) - own:
        yield f"on {document['HostConfig']['NetworkMode']} and {sorted(networks)}, not on {sorted(own)}"
        return
    (endpoint,) = networks.values()
    # Before its start a container's endpoint says what was asked for.
    yield from (f"endpoint {name} {endpoint[name]}" for name in ("Links", "DriverOpts") if endpoint.get(name))
    asked = endpoint["IPAMConfig"] or {}
    subnet = IPv4Network(lab.facts[f"{prefix}SUBNET"])
    if set(asked) - {"IPv4Address"}:
        yield f"asks for addresses {asked}"
    if "IPv4Address" in asked and ip_address(asked["IPv4Address"]) not in list(subnet.hosts()):
        yield f"asks for {asked['IPv4Address']} outside of {subnet}"
    if not all(_PLAIN.fullmatch(alias) for alias in endpoint["Aliases"] or ()):
        yield f"aliases {endpoint['Aliases'][:3]}"


def network_faults(lab: Lab, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a network has that no session's may have."""
    labels = document["Labels"] or {}
    session = labels.get(SESSION_LABEL, "")
    if not _UUID.fullmatch(session):
        yield f"session id {session!r}"
        return
    config = document["IPAM"]["Config"] or []
    expected: dict[str, tuple[Any, Any]] = {
        "Name": (document["Name"], f"dryrun-{session}"),
        "Driver": (document["Driver"], "bridge"),
        "Scope": (document["Scope"], "local"),
        "Internal": (document["Internal"], True),
        "EnableIPv6": (document["EnableIPv6"], False),
        "Attachable": (document["Attachable"], False),
        "Ingress": (document["Ingress"], False),
        "ConfigOnly": (document["ConfigOnly"], False),
        "ConfigFrom": (document["ConfigFrom"], {"Network": ""}),
        "IPAM driver": (document["IPAM"]["Driver"], "default"),
        "IPAM options": (document["IPAM"]["Options"] or {}, {}),
        "IPAM configurations": ([sorted(entry) for entry in config], [["Subnet"]]),
        "Options": (
            document["Options"],
            {
                "com.docker.network.bridge.name": f"dr-{session.replace('-', '')[:12]}",
                "com.docker.network.bridge.inhibit_ipv4": "true",
            },
        ),
        "labels": (
            set(labels),
            _DESIGN - {f"discovery.dryrun.{name}" for name in ("service", "role", "image")},
        ),
    }
    yield from (
        f"{name} is {was!r}, not {right!r}" for name, (was, right) in expected.items() if was != right
    )
    subnets = [entry.get("Subnet", "") for entry in config]
    if not all(":" not in each and IPv4Network(each).subnet_of(_POOL) for each in subnets):
        yield f"subnets {subnets} outside of {_POOL}"
    yield from _deadline_faults(labels.get("discovery.dryrun.expires_at", ""))


def _deadline_faults(text: str) -> Iterator[str]:
    try:
        deadline = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        yield f"deadline {text!r}"
        return
    if not datetime.now(UTC) < deadline <= datetime.now(UTC) + _SESSION:
        yield f"deadline {text}"
