"""The collector `network`: hosts, services with product and version, TLS certificates; mostly by nmap."""

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from pydantic import JsonValue

from discovery_collectors.collector import Assignment, Emit
from discovery_collectors.collectors.network import amqp_version, mqtt_version
from discovery_collectors.collectors.network.amqp_version import AmqpError
from discovery_collectors.collectors.network.listening_ports import MOST_COMMON, rarer_ports
from discovery_collectors.collectors.network.mqtt_version import MqttError
from discovery_collectors.collectors.network.nmap_data import nmap_environment
from discovery_collectors.collectors.network.nmap_process import run_nmap
from discovery_collectors.collectors.network.nmap_xml import Host, Port, Progress
from discovery_collectors.collectors.network.packet_rate import PacketRate
from discovery_collectors.collectors.network.second_opinion.opinion import CONFIDENCE, Patience, SecondOpinion
from discovery_collectors.installed import tcp_ports, udp_probes
from discovery_collectors.protocols.certificates import CertificateError, fetch_certificate
from discovery_collectors.protocols.udp import SENDINGS_SECONDS, NoAnswerError, UdpProbe, ask
from discovery_collectors.running.scope import OutOfScopeError, ScopedAddress
from dryrun_contract.collector_config import Profile
from dryrun_contract.resource_key import ResourceKey

_VERSIONED_PORTS = 100
"""Ports of one host that get version detection; a tarpit opens thousands."""
_HANDSHAKES_AT_ONCE = 16
_QUESTIONS_AT_ONCE = 64
_BROKERS = {"amqp": amqp_version.ask_version, "mqtt": mqtt_version.ask_version}
_PACKETS_PER_PROBE = 10
"""About what one probe of a service costs, with opening and closing the connection."""


@dataclass(frozen=True, slots=True)
class _ScanProfile:
    """How thoroughly a profile scans."""

    all_ports: bool
    """All 65535 TCP ports, instead of the most common ones and those that collectors add."""
    intensity: int
    """nmap's --version-intensity: probes up to this rarity; those meant for the port come in any case."""
    banner_wait_ms: int
    answer_wait_ms: int
    hurry: bool
    """Ask a silent service less, and no probe waits longer than `answer_wait_ms`."""
    patience: Patience
    """Of the second opinion on what nmap leaves unnamed."""


_PROFILES: dict[Profile, _ScanProfile] = {
    "quick": _ScanProfile(
        all_ports=False,
        intensity=4,
        banner_wait_ms=1500,
        answer_wait_ms=3000,
        hurry=True,
        patience=Patience(answer=1.5, port=12, host=30),
    ),
    "full": _ScanProfile(
        all_ports=True,
        intensity=7,
        banner_wait_ms=6000,
        answer_wait_ms=5000,
        hurry=False,
        patience=Patience(answer=3, port=20, host=60),
    ),
}
_VERSION_RANGE = re.compile(r" or (?:later|earlier|newer|older)|[\dX] - \d")
"""Of some services nmap knows only a range of versions; that is not a version."""

type _Ports = dict[ScopedAddress, tuple[Port, ...]]
type _OnHost = Callable[[ScopedAddress, Host], None]


async def collect(assignment: Assignment, emit: Emit) -> None:
    """Scan what the assignment's scope leaves open. Raises NmapError when nmap does not work.

    Three scans, each only of what the one before found: hosts, open ports, versions; then certificates.
    A few UDP ports are asked while nmap looks for open TCP ports.
    """
    profile = _PROFILES[assignment.profile]
    with nmap_environment(
        rarer_ports(tcp_ports()),
        banner_wait_ms=profile.banner_wait_ms,
        answer_wait_ms=profile.answer_wait_ms,
        hurry=profile.hurry,
    ) as environment:
        scan = _Scan(assignment, profile, emit, environment)
        hosts = await scan.find_hosts()
        if assignment.max_rate is not None:
            # One after the other, since neither knows of the other's packets.
            await scan.ask_udp_ports(hosts)
            ports = await scan.find_ports(hosts)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(scan.ask_udp_ports(hosts))
                finding = group.create_task(scan.find_ports(hosts))
            ports = finding.result()
        services = await scan.identify_services(ports)
    services = await scan.ask_again(services)
    await scan.ask_brokers(services)
    await scan.read_certificates(services)


class _Scan:
    """One run's stages. None of them sees an address that the scope did not admit."""

    def __init__(
        self, assignment: Assignment, profile: _ScanProfile, emit: Emit, environment: dict[str, str]
    ) -> None:
        self._assignment = assignment
        self._profile = profile
        self._emit = emit
        self._environment = environment
        self._done = 0
        self._total: int | None = None
        """Hosts found; `_done` counts those scanned completely."""

    async def find_hosts(self) -> list[ScopedAddress]:
        """ARP on the local network; ICMP, TCP 443 and 80 beyond it."""
        found: list[ScopedAddress] = []

        def on_host(address: ScopedAddress, host: Host) -> None:
            # The machine that scans is no discovery.
            if host.reason != "localhost-response":
                found.append(address)
                confidence = 1.0 if host.reason == "arp-response" else 0.9
                self._emit.discovery("host", address, _host_data(host), confidence)

        networks = map(str, self._assignment.scope.open_networks())
        await self._scan("looking for hosts", ["-sn"], networks, on_host)
        self._total = len(found)
        return found

    async def find_ports(self, hosts: list[ScopedAddress]) -> _Ports:
        """Find open TCP ports; name them by nmap's table, with little confidence."""
        found: _Ports = {}

        def on_host(address: ScopedAddress, host: Host) -> None:
            if host.ports:
                found[address] = host.ports
            for port in host.ports:
                self._emit_service(address, port)

        common = ["--top-ports", str(MOST_COMMON + len(rarer_ports(tcp_ports())))]
        which = ["-p-"] if self._profile.all_ports else common
        await self._scan("looking for open ports", ["-Pn", *which], hosts, on_host)
        self._done = len(hosts) - len(found)
        return found

    async def ask_udp_ports(self, hosts: list[ScopedAddress]) -> None:
        """Send each host every collector's UDP probes; only an answer in the protocol is a service."""
        at_once = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        rate = self._assignment.max_rate
        pause = 0 if rate is None else len(SENDINGS_SECONDS) / rate

        async def probe_port(address: ScopedAddress, probe: UdpProbe) -> None:
            try:
                facts = await ask(address, probe)
            except NoAnswerError:
                return
            finally:
                at_once.release()
            key = str(ResourceKey(address, probe.port, "udp"))
            self._emit.discovery("service", key, {"name": probe.name, "method": "probed", **facts}, 0.9)

        async with asyncio.TaskGroup() as group:
            for address in hosts:
                for probe in udp_probes():
                    await at_once.acquire()
                    group.create_task(probe_port(address, probe))
                    await asyncio.sleep(pause)

    async def identify_services(self, ports: _Ports) -> _Ports:
        """Detect versions on the open ports; report each service again, with nmap's confidence."""
        found: _Ports = {}

        def on_host(address: ScopedAddress, host: Host) -> None:
            self._done += 1
            found[address] = host.ports
            for port in host.ports:
                if port.probed:
                    self._emit_service(address, port)

        for address, each in ports.items():
            if len(each) > _VERSIONED_PORTS:
                self._emit.warning(
                    f"{address} has {len(each)} open ports; "
                    f"version detection covers the first {_VERSIONED_PORTS}"
                )
        asked = sorted({port.number for each in ports.values() for port in each[:_VERSIONED_PORTS]})
        options = ["-Pn", "-sV", "--version-intensity", str(self._profile.intensity)]
        options += ["-p", ",".join(map(str, asked)), *self._parallelism()]
        await self._scan("asking services for their versions", options, ports, on_host)
        return found

    async def ask_again(self, services: _Ports) -> _Ports:
        """Ask what nmap left unnamed by other questions; report what that adds."""
        opinion = SecondOpinion(
            self._profile.patience, PacketRate(self._assignment.max_rate), self._emit.warning
        )
        known = {address: {port.number: port for port in ports} for address, ports in services.items()}

        def on_port(address: ScopedAddress, port: Port) -> None:
            known[address][port.number] = port
            self._emit_service(address, port, CONFIDENCE)

        async with asyncio.TaskGroup() as group:
            for address, ports in services.items():
                group.create_task(opinion.ask(address, ports, partial(on_port, address)))
        return {address: tuple(ports.values()) for address, ports in known.items()}

    async def ask_brokers(self, services: _Ports) -> None:
        """Ask message brokers for product and version where nmap found none."""

        async def ask_broker(address: ScopedAddress, port: Port) -> None:
            with suppress(MqttError, AmqpError):
                product, version = await _BROKERS[port.name](address, port.number)
                self._emit_service(address, replace(port, product=product, version=version, confidence=10))

        async with asyncio.TaskGroup() as group:
            for address, ports in services.items():
                for port in ports:
                    if port.name in _BROKERS and port.probed and not port.product and not port.tls:
                        group.create_task(ask_broker(address, port))

    async def read_certificates(self, services: _Ports) -> None:
        """Make one handshake with each service that speaks TLS."""
        at_once = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)

        async def read(address: ScopedAddress, port: Port) -> None:
            key = str(ResourceKey(address, port.number, "tcp"))
            async with at_once:
                try:
                    certificate = await fetch_certificate(address, port.number)
                except CertificateError as error:
                    self._emit.warning(f"{key}: {error}")
                    return
            data: dict[str, JsonValue] = {
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "names": list(certificate.names),
                "not_before": certificate.not_before,
                "not_after": certificate.not_after,
                "self_signed": certificate.self_signed,
                "sha256": certificate.sha256,
            }
            self._emit.discovery("certificate", key, data)

        async with asyncio.TaskGroup() as group:
            for address, ports in services.items():
                for port in ports:
                    if port.tls or port.name in {"https", "ssl"}:
                        group.create_task(read(address, port))
        self._emit.progress(self._done, self._total, "network scanned")

    async def _scan(self, message: str, options: list[str], targets: Iterable[str], on_host: _OnHost) -> None:
        names = list(targets)
        if not names:
            return
        self._emit.progress(self._done, self._total, message)
        options = ["-n", "-v", "-T4", *options]
        if self._assignment.max_rate is not None:
            options += ["--max-rate", str(self._assignment.max_rate)]

        def on_found(found: Host | Progress) -> None:
            if isinstance(found, Progress):
                self._emit.progress(self._done, self._total, f"{message}: {found.task} {found.percent:.0f} %")
                return
            try:
                address = self._assignment.scope.admit(found.address)
            except OutOfScopeError as error:
                self._emit.warning(f"nmap reported a host that is not a target: {error}")
                return
            on_host(address, found)

        await run_nmap(options, names, self._environment, on_found)

    def _parallelism(self) -> list[str]:
        """--max-rate does not bind nmap's version probes; their number at a time does."""
        rate = self._assignment.max_rate
        return [] if rate is None else ["--max-parallelism", str(max(1, rate // _PACKETS_PER_PROBE))]

    def _emit_service(self, address: ScopedAddress, port: Port, confidence: float | None = None) -> None:
        key = str(ResourceKey(address, port.number, "tcp"))
        # nmap's highest, 10, is still what a service claims; collectors that log in are surer.
        nmaps = max(0.1, port.confidence * 0.09)
        self._emit.discovery("service", key, _service_data(port), round(confidence or nmaps, 2))


def _host_data(host: Host) -> dict[str, JsonValue]:
    told = {"reason": host.reason, "mac": host.mac, "vendor": host.vendor}
    return {name: text for name, text in told.items() if text}


def _service_data(port: Port) -> dict[str, JsonValue]:
    told = {
        "name": port.name,
        "method": "probed" if port.probed else "table",
        "product": port.product,
        "version_range" if _VERSION_RANGE.search(port.version) else "version": port.version,
        "extra": port.extra,
        "hostname": port.hostname,
    }
    data: dict[str, JsonValue] = {name: text for name, text in told.items() if text}
    if port.tls:
        data["tls"] = True
    if port.cpes:
        data["cpe"] = list(port.cpes)
    return data
