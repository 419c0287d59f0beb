"""What the record and the design ask of a session's containers and network, as the engine shows them.

Written a second time, by hand: nothing here comes from the orchestrator, and of the images only the manifests
in their folders are read.
"""

import json
import re
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml
from local_stack import ROOT, SUBNET_POOL

type Json = dict[str, Any]

LABEL = "discovery.dryrun."
MIB = 1024 * 1024
NET_RAW = 1 << 13
"""CAP_NET_RAW in the kernel's sets (capabilities(7))."""
CAPABILITIES = {
    "discovery/test-collector-network:1.0": ["NET_RAW"],
    "discovery/test-collector-probe:1.0": ["NET_RAW"],
}
"""They alone get any."""
STAND_IN = "discovery/test-stand-in:"
STAND_IN_MANIFEST: Json = {"tmpfs": {"/tmp": {"size": "8m"}, "/run/stand-in": {"size": "3m"}}}
"""Of one whose services write little and need no right: OpenSSH and Redis."""
SESSION_LIMIT = timedelta(minutes=30)
COLLECTOR_OUTPUT_BYTES = 16 * MIB
"""More of a collector's output is not read; its log has to hold all of that."""
EMPTY = (None, [], {}, "", 0, False)
"""How the engine says "none", by version and field."""


def label(seen: Json, name: str) -> str:
    return seen["Config"]["Labels"][LABEL + name]


def manifest_of(image: str) -> Json:
    if image.startswith(STAND_IN):
        return STAND_IN_MANIFEST
    for path in (ROOT / "images").glob("*/image.yml"):
        manifest = yaml.safe_load(path.read_text())
        if manifest["image"] == image:
            return manifest
    raise AssertionError(f"no folder of images/ is about {image}")


def require(name: str, seen: Json, expected: Json) -> None:
    """Compare the fields that `expected` has, all at once."""
    assert {field: seen.get(field) for field in expected} == expected, name


def require_nothing(name: str, seen: Json, *fields: str) -> None:
    """These fields are all as if nothing had been asked for."""
    assert {field: seen[field] for field in fields if seen.get(field) not in EMPTY} == {}, name


def require_limits(seen: Json, *, behind_a_guard: bool = False) -> None:
    host = seen["HostConfig"]
    require(
        label(seen, "service"),
        host,
        {"Memory": 512 * MIB, "MemorySwap": 512 * MIB, "NanoCpus": 500_000_000, "PidsLimit": 100,
         "OomScoreAdj": 1000, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": False},
    )  # fmt: skip
    require_nothing(label(seen, "service"), host, "OomKillDisable", "StorageOpt")
    limits = {each["Name"]: each["Hard"] for each in host["Ulimits"] or ()}
    assert limits == ({"msgqueue": 0, "sigpending": 1024} if behind_a_guard else {})
    log = host["LogConfig"]
    assert log["Type"] == "json-file"
    assert log["Config"].keys() == {"max-size", "max-file"}
    # Nobody follows a target's log, and the full one of two files shows that lines were lost.
    files = 2 if label(seen, "role") == "target" else 1
    assert log["Config"]["max-file"] == str(files)
    size = int(log["Config"]["max-size"]) * files
    if label(seen, "role") == "collector" and label(seen, "service") != "isolation-probe":
        assert COLLECTOR_OUTPUT_BYTES < size <= 8 * COLLECTOR_OUTPUT_BYTES
    else:
        assert 0 < size <= 10 * MIB


def require_hardening(seen: Json, *, behind_a_guard: bool = False) -> None:
    """`behind_a_guard`: by the policy of `make up`, which adds a seccomp profile."""
    service, host = label(seen, "service"), seen["HostConfig"]
    image = label(seen, "image")
    require(
        service,
        host,
        {"CapDrop": ["ALL"], "Privileged": False,
         "ReadonlyRootfs": True, "IpcMode": "private", "CgroupnsMode": "private", "PublishAllPorts": False,
         "NetworkMode": f"dryrun-{label(seen, 'session_id')}"},
    )  # fmt: skip
    no_new_privileges, *profiles = host["SecurityOpt"]
    assert no_new_privileges == "no-new-privileges:true", service
    assert len(profiles) == behind_a_guard, service
    for profile in profiles:
        _require_narrow_profile(service, json.loads(profile.removeprefix("seccomp=")))
    assert sorted(host["CapAdd"] or ()) == CAPABILITIES.get(image, []), service
    assert manifest_of(image).get("capabilities", []) == CAPABILITIES.get(image, []), service
    require_nothing(
        service,
        host,
        "PidMode", "UTSMode", "UsernsMode", "CgroupParent", "Cgroup", "Sysctls", "GroupAdd",
        "Devices", "DeviceRequests", "DeviceCgroupRules", "PortBindings", "Links", "ExtraHosts",
        "Dns", "DnsOptions", "DnsSearch",
    )  # fmt: skip
    # The engine's own lists of what is hidden in /proc and /sys: an empty one would open them.
    assert host["MaskedPaths"], service
    assert host["ReadonlyPaths"], service
    assert host["Runtime"] == "runc", service
    assert seen["AppArmorProfile"] != "unconfined", service
    assert not any((seen["NetworkSettings"]["Ports"] or {}).values()), f"{service} has published ports"


def _of(family: int, *more: tuple[int, str, int]) -> tuple[str | tuple[int, str, int], ...]:
    return ("socket", (0, "SCMP_CMP_EQ", family), *more)


_KIND, _NUMBER = (1, "SCMP_CMP_MASKED_EQ", 15), "SCMP_CMP_EQ"
OPENING = [
    ("socketpair", (0, "SCMP_CMP_EQ", 1)),
    *(_of(family) for family in (1, 17)),
    _of(16, (2, _NUMBER, 0)),
    *(_of(family, _KIND) for family in (2, 10)),
    *(_of(2, _KIND, (2, _NUMBER, protocol)) for protocol in (0, 6, 0, 1, 17)),
    *(_of(10, _KIND, (2, _NUMBER, protocol)) for protocol in (0, 6, 0, 17, 58)),
]
"""What may open a socket: the family, its type where that matters, and the protocol."""


def _require_narrow_profile(service: str, profile: Json) -> None:
    """Only the machine's own programs, and sockets of a network."""
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO", service
    assert not any(each["subArchitectures"] for each in profile["archMap"]), service
    opening = []
    for rule in profile["syscalls"]:
        for name in {"socket", "socketpair", "socketcall"} & set(rule["names"]):
            if rule["action"] == "SCMP_ACT_ERRNO":
                continue
            assert rule["action"] == "SCMP_ACT_ALLOW", service
            opening.append((name, *((each["index"], each["op"], each["value"]) for each in rule["args"])))
    assert sorted(opening) == sorted(OPENING), service


def require_no_storage(seen: Json) -> None:
    """No mount of any kind but the image's own tmpfs, each with a size."""
    service, host = label(seen, "service"), seen["HostConfig"]
    assert seen["Mounts"] == [], service
    require_nothing(service, host, "Binds", "Mounts", "VolumesFrom", "VolumeDriver")
    require_nothing(service, seen["Config"], "Volumes")
    places = manifest_of(label(seen, "image")).get("tmpfs", {})
    assert (host.get("Tmpfs") or {}).keys() == places.keys(), service
    for path, place in places.items():
        size = int(place["size"].removesuffix("m")) * MIB
        assert {"noexec", "nosuid", "nodev", f"size={size}"} <= set(host["Tmpfs"][path].split(",")), service
    assert sum(int(place["size"].removesuffix("m")) for place in places.values()) <= 256, service


def require_pinned_image(seen: Json, body: Json, image: Json) -> None:
    """Created by the image's ID, with the image's own command, user and health check."""
    service = label(seen, "service")
    assert label(seen, "image").startswith("discovery/test-"), service
    assert body["Image"] == seen["Image"] == seen["Config"]["Image"] == image["Id"], service
    own = image["Config"]
    require(
        service,
        seen["Config"],
        {field: own.get(field) for field in ("Cmd", "Entrypoint", "User", "Healthcheck", "StopSignal")},
    )
    added = {variable.partition("=")[0] for variable in set(seen["Config"]["Env"]) - set(own["Env"])}
    assert added == (set() if label(seen, "role") == "target" else {"DISCOVERY_CONFIG"}), service


def require_labels(seen: Json, network: Json) -> None:
    """Owner, deadline and nothing else; no name reveals what it is."""
    service, labels = label(seen, "service"), seen["Config"]["Labels"]
    own = {key.removeprefix(LABEL): value for key, value in labels.items() if key.startswith(LABEL)}
    common = {key.removeprefix(LABEL): value for key, value in network["Labels"].items()}
    assert own == common | {name: own[name] for name in ("service", "role", "image")}
    is_collector = own["image"].startswith("discovery/test-collector-")
    assert own["role"] == ("collector" if is_collector else "target")
    assert re.fullmatch(r"/dryrun-[0-9a-f]{16}", seen["Name"]), service
    assert seen["Config"]["Hostname"] == seen["Id"][:12]
    assert list(seen["NetworkSettings"]["Networks"]) == [network["Name"]]
    attached = seen["NetworkSettings"]["Networks"][network["Name"]]
    assert attached["Gateway"] == attached["IPv6Gateway"] == attached["GlobalIPv6Address"] == ""
    assert attached["IPAddress"] == attached["IPAMConfig"]["IPv4Address"]


def require_shut_network(network: Json, session_id: str) -> None:
    require(
        network["Name"],
        network,
        {"Name": f"dryrun-{session_id}", "Driver": "bridge", "Scope": "local", "Internal": True,
         "EnableIPv6": False, "Attachable": False, "Ingress": False, "ConfigOnly": False},
    )  # fmt: skip
    bridge = "dr-" + session_id.replace("-", "")[:12]
    assert network["Options"] == {
        "com.docker.network.bridge.name": bridge,
        "com.docker.network.bridge.inhibit_ipv4": "true",
    }
    (pool,) = network["IPAM"]["Config"]
    subnet = IPv4Network(pool["Subnet"])
    assert subnet.subnet_of(IPv4Network(SUBNET_POOL))
    assert subnet.prefixlen == 27
    labels = network["Labels"]
    assert labels.keys() == {LABEL + name for name in ("session_id", "owner", "template", "expires_at")}
    assert labels[f"{LABEL}session_id"] == session_id
    lasts = datetime.fromisoformat(labels[f"{LABEL}expires_at"]) - datetime.fromisoformat(network["Created"])
    assert SESSION_LIMIT - timedelta(seconds=10) < lasts <= SESSION_LIMIT


def kernel_status(pid: int) -> dict[str, str]:
    """What the kernel says of a process (proc(5), status and oom_score_adj)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    lines.append(f"oom_score_adj:\t{Path(f'/proc/{pid}/oom_score_adj').read_text().strip()}")
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def require_bound_process(status: dict[str, str], seen: Json) -> None:
    """The engine has done what it says: the kernel holds the first process to it."""
    allowed = NET_RAW if label(seen, "image") in CAPABILITIES else 0
    for capabilities in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
        assert int(status[capabilities], 16) & ~allowed == 0, f"{label(seen, 'service')}: {capabilities}"
    assert status["NoNewPrivs"] == "1"
    assert status["oom_score_adj"] == "1000", "others of the host would end before it"
    assert status["Seccomp"] == "2", "the engine's filter of system calls is off"
