"""Runs collectors' images by the docker CLI as a session does, and reads what they say."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from target_container import TargetContainer, allowed, docker, run_options

ACCEPTED_SECONDS = 120
"""Ten times what any needs (network 12 s, others 4 s), since tests share the machine."""

type Line = dict[str, Any]
type Found = dict[tuple[str, str], Line]


@contextmanager
def collector(image: str, network: str, **config: Any) -> Iterator[str]:
    """Start a collector as a session does, its logins for its network, and return its container's id."""
    entry = allowed(image)
    subnet = json.loads(docker("network", "inspect", network))[0]["IPAM"]["Config"][0]["Subnet"]
    own = f"{subnet.rpartition('.')[0]}.{int(subnet.rpartition('.')[2].split('/')[0]) + 30}"
    logins = [login | {"at": [subnet]} for login in config.pop("credentials", ())]
    given = json.dumps({"version": 1, "cidr": subnet, "self": own, "credentials": logins, **config})
    options = [f"--network={network}", f"--ip={own}", f"--env=DISCOVERY_CONFIG={given}", *run_options(entry)]
    container = docker("create", *options, entry["id"]).strip()
    try:
        docker("start", container)
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def collect(image: str, network: str, **config: Any) -> tuple[list[Line], str]:
    """Run a collector to its end; return its lines, and all it wrote."""
    with collector(image, network, **config) as container:
        assert docker("wait", container, seconds=ACCEPTED_SECONDS).strip() == "0", said(container)
        out = docker("logs", container)
        return [json.loads(line) for line in out.splitlines()], out + said(container)


def said(container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stderr


def discoveries(lines: list[Line]) -> Found:
    """Return (kind, key) → what was said with the most confidence, attribute by attribute."""
    found: Found = {}
    reported = [line for line in lines if line["type"] == "discovery"]
    for line in sorted(reported, key=lambda line: line["confidence"]):
        found.setdefault((line["kind"], line["key"]), {}).update(line["data"])
    assert lines[-1] == {"type": "end", "discoveries": len(reported)}
    return found


def by_service(found: Found, targets: Mapping[str, TargetContainer], network: str) -> Found:
    names = {
        target.inspect()["NetworkSettings"]["Networks"][network]["IPAddress"]: name
        for name, target in targets.items()
    }
    renamed = {}
    for (kind, key), data in found.items():
        address, separator, rest = key.partition(":")
        renamed[kind, names[address] + separator + rest] = data
    return renamed


def matches(expected: Any, reported: Any) -> bool:
    if isinstance(expected, list) and isinstance(reported, list):
        return set(expected) == set(reported)
    return reported in expected if isinstance(expected, list) else reported == expected
