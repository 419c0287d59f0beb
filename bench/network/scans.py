"""Scans a running network with a collector's limits, by the collector `network` or by plain nmap."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from lxml import etree

from bench.network.hosts import Host, Service
from bench.network.running import RunningNetwork
from dryrun_local.machine.installation import Installation

COLLECTOR = "discovery/test-collector-network:1.0"
NMAP = "discovery/test-collector-nmap:7.95"
LIMITS = (
    "--cpus=0.5", "--memory=512m", "--memory-swap=512m", "--pids-limit=100", "--read-only",
    "--cap-drop=ALL", "--cap-add=NET_RAW", "--security-opt=no-new-privileges", "--pull=never",
)  # fmt: skip
"""What a session grants its collector."""
_scans: Counter[str] = Counter()
"""By network."""
_SECONDS = 1200
_CHARACTERS = 64 * 1024 * 1024

type Found = dict[tuple[str, int], str]
"""Host and port → product; empty where a port is open and nobody said what answers there."""


@dataclass(frozen=True)
class Scan:
    """One scan: how long it took, and what it found."""

    seconds: float
    found: Found


@dataclass(frozen=True)
class Score:
    """What of the truth was found, and what was found that is not there."""

    ports: int
    all_ports: int
    products: int
    all_products: int
    false_ports: int
    missed: tuple[str, ...]


def by_collector(network: RunningNetwork, profile: str, *targets: str) -> Scan:
    """Scan with the collector `network`."""
    arguments = ["network", "--profile", profile]
    arguments += [f"--targets={target}" for target in _targets(network, targets)]
    tmpfs = ["--tmpfs=/tmp:size=64m,noexec"]
    seconds, output = _run(network, [*tmpfs, _pinned(COLLECTOR)], arguments)
    found: Found = {}
    for line in output.splitlines():
        said = json.loads(line)
        if said.get("type") != "discovery" or said["kind"] != "service" or not said["key"].endswith("/tcp"):
            continue
        address, _, port = said["key"].removesuffix("/tcp").partition(":")
        product = said["data"].get("product", "")
        place = (network.addresses.get(address) or address, int(port))
        found[place] = product
    return Scan(seconds, found)


def by_nmap(network: RunningNetwork, options: Iterable[str], *targets: str) -> Scan:
    """Scan with plain nmap; `-n` in both cases, as a session has no name server."""
    seconds, output = _run_nmap(network, options, targets)
    found: Found = {}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    for host in etree.fromstring(output.encode(), parser).iter("host"):
        address = str(host.xpath("string(address[@addrtype='ipv4']/@addr)"))
        for port in host.xpath("ports/port[state/@state='open']"):
            place = (network.addresses.get(address) or address, int(port.get("portid")))
            found[place] = port.xpath("string(service/@product)")
    return Scan(seconds, found)


def nmap_xml(network: RunningNetwork, options: Iterable[str]) -> str:
    """Return what plain nmap prints of the network's hosts with `-oX`."""
    return _run_nmap(network, options, tuple(network.addresses))[1]


def score(hosts: Iterable[Host], found: Found) -> Score:
    """Compare what was found with the truth about `hosts`."""
    truth = {(host.name, service.port): service for host in hosts for service in host.services}
    named = {place for place, each in truth.items() if each.products}
    right = {place for place in named if truth[place].named_by(found.get(place, ""))}
    return Score(
        ports=len(truth.keys() & found.keys()),
        all_ports=len(truth),
        products=len(right),
        all_products=len(named),
        false_ports=len(found.keys() - truth.keys()),
        missed=tuple(
            _missed(place, truth[place], found)
            for place in sorted(truth)
            if place not in found or place in named - right
        ),
    )


def _missed(place: tuple[str, int], service: Service, found: Found) -> str:
    host, port = place
    if place not in found:
        return f"{host}:{port} {service.server}: port"
    return f"{host}:{port} {service.server}: {found[place] or 'no product'}"


def _targets(network: RunningNetwork, targets: tuple[str, ...]) -> list[str]:
    return list(targets) or [network.subnet]


def _run_nmap(network: RunningNetwork, options: Iterable[str], targets: tuple[str, ...]) -> tuple[float, str]:
    arguments = ["-n", *options, "-oX", "-", *_targets(network, targets)]
    return _run(network, [_pinned(NMAP)], arguments)


def _pinned(image: str) -> str:
    """Return the id of what this checkout built: a tag may be another checkout's by now."""
    images = json.loads(Installation.here().allowlist.read_text())["images"]
    return str(images[image]["id"])


def _new_address(network: RunningNetwork) -> str:
    """Return another address for a scanner than the one before had: some servers ban whoever asks often."""
    free = [str(each) for each in IPv4Network(network.subnet).hosts() if str(each) not in network.addresses]
    _scans[network.network] += 1
    return free[-1 - _scans[network.network] % (len(free) // 2)]


def _run(network: RunningNetwork, image: list[str], arguments: list[str]) -> tuple[float, str]:
    labels = [f"--label={name}={value}" for name, value in network.labels.items()]
    place = [f"--network={network.network}", f"--ip={_new_address(network)}"]
    command = ["docker", "run", "--rm", *labels, *place, *LIMITS, *image, *arguments]
    begin = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        raise RuntimeError(f"the scan ended with {done.returncode}: {done.stderr[-1500:]}")
    seconds = time.monotonic() - begin
    if len(done.stdout) > _CHARACTERS:
        raise ValueError(f"the scan printed {len(done.stdout)} characters")
    return seconds, done.stdout
