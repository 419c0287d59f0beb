"""Runs a network of the bench: built from Debian's packages, internal, shut towards the host, always removed.

Its bridge is called `dr-…` as a session's, so the host rule holds for it too. It has none of a
session's labels: no orchestrator touches it.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from secrets import token_hex
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from bench.network.hosts import HERE, Host
from bench.network.listening import WrongNetworkError, problems

IMAGE = "discovery/bench-servers:13"
LABEL = "discovery.bench.network"
OWNER = "discovery.bench.process"
POOL = IPv4Network("10.213.192.0/19")
"""Within the pool of sessions, whose packets never leave this machine; searched from its end."""
_START_SECONDS = 300.0
_BUILD_SECONDS = 900
_CAPABILITIES = [
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT",
]  # fmt: skip


@dataclass(frozen=True)
class RunningNetwork:
    """A network that runs, with the address of each host."""

    name: str
    network: str
    subnet: str
    addresses: dict[str, str]
    """Address → host's name."""
    hosts: tuple[Host, ...]
    labels: dict[str, str]
    """What everything of this network is labelled with, scanners too."""


def build_image() -> None:
    """Build the image of all servers; a moment when it is there. Raises CalledProcessError."""
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", IMAGE, str(HERE)],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=_BUILD_SECONDS,
    )


@contextmanager
def running_network(name: str, hosts: tuple[Host, ...]) -> Iterator[RunningNetwork]:
    """Run the network until the block ends. Raises WrongNetworkError unless it is what its table says."""
    client = docker.from_env(timeout=120)
    try:
        remove_left_over(client)
        labels = {LABEL: token_hex(6), OWNER: str(os.getpid())}
        try:
            network = _create_network(client, labels)
            for host in hosts:
                _start(client, network.id, host, labels)
            _wait_until_right(client, hosts, labels)
            yield _described(name, network, hosts, labels)
        finally:
            _remove(client, f"{LABEL}={labels[LABEL]}")
    finally:
        client.close()


def remove_left_over(client: docker.DockerClient) -> None:
    """Remove the networks of processes that ended without doing so."""
    networks = client.networks.list(filters={"label": LABEL})
    containers = client.containers.list(all=True, filters={"label": LABEL})
    for labels in [each.attrs["Labels"] for each in networks] + [each.labels for each in containers]:
        if not Path(f"/proc/{labels[OWNER]}").exists():
            _remove(client, f"{LABEL}={labels[LABEL]}")


def _create_network(client: docker.DockerClient, labels: dict[str, str]) -> Any:
    for subnet in reversed(list(POOL.subnets(new_prefix=26))):
        try:
            return client.networks.create(
                f"dryrun-bench-{labels[LABEL]}",
                driver="bridge",
                internal=True,
                labels=labels,
                ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))]),
                options={
                    "com.docker.network.bridge.name": f"dr-{labels[LABEL]}",
                    "com.docker.network.bridge.inhibit_ipv4": "true",
                },
            )
        except APIError as error:
            if "overlap" not in str(error):
                raise
    raise WrongNetworkError(f"no subnet of {POOL} is free")


def _start(client: docker.DockerClient, network: str, host: Host, labels: dict[str, str]) -> None:
    # Created, then started: docker's own `run` pulls an image that is missing.
    container = client.containers.create(
        IMAGE,
        command=host.arguments,
        name=f"bench-{labels[LABEL]}-{host.name}",
        hostname=host.name,
        network=network,
        labels=labels | {f"{LABEL}.host": host.name},
        cap_drop=["ALL"],
        cap_add=_CAPABILITIES,
        security_opt=["no-new-privileges"],
        mem_limit="512m",
        memswap_limit="512m",
        nano_cpus=500_000_000,
        pids_limit=200,
        log_config={"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
    )
    container.start()


def _wait_until_right(client: docker.DockerClient, hosts: tuple[Host, ...], labels: dict[str, str]) -> None:
    end = time.monotonic() + _START_SECONDS
    waiting = {host.name: host for host in hosts}
    while waiting:
        wrong = []
        for host in list(waiting.values()):
            container = client.containers.get(f"bench-{labels[LABEL]}-{host.name}")
            found = problems(host, container)
            wrong += found
            if not found:
                del waiting[host.name]
        if waiting and time.monotonic() > end:
            raise WrongNetworkError("not what networks.yml says:\n  " + "\n  ".join(wrong))
        if waiting:
            time.sleep(0.5)


def _described(name: str, network: Any, hosts: tuple[Host, ...], labels: dict[str, str]) -> RunningNetwork:
    network.reload()
    prefix = f"bench-{labels[LABEL]}-"
    addresses = {
        each["IPv4Address"].partition("/")[0]: each["Name"].removeprefix(prefix)
        for each in network.attrs["Containers"].values()
    }
    subnet = network.attrs["IPAM"]["Config"][0]["Subnet"]
    return RunningNetwork(name, network.id, subnet, addresses, hosts, labels)


def received_packets(network: RunningNetwork) -> dict[str, int]:
    """Return how many packets each host has received since it was started."""
    client = docker.from_env(timeout=120)
    try:
        counted = {}
        prefix = f"bench-{network.labels[LABEL]}-"
        for host in network.hosts:
            container = client.containers.get(f"{prefix}{host.name}")
            seen = container.stats(stream=False, one_shot=True)
            if "networks" not in seen:
                raise WrongNetworkError(f"{host.name} has ended")
            counted[host.name] = int(seen["networks"]["eth0"]["rx_packets"])
        return counted
    finally:
        client.close()


def _remove(client: docker.DockerClient, label: str) -> None:
    for container in client.containers.list(all=True, filters={"label": label}):
        try:
            container.remove(force=True, v=True)
        except NotFound:
            continue
    for network in client.networks.list(filters={"label": label}):
        network.remove()
