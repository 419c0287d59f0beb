"""What follows nmap's answer: a second opinion, brokers' own words, certificates; and UDP beside it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace

from discovery_collectors.collectors.network import amqp_version, mqtt_version
from discovery_collectors.collectors.network.amqp_version import AmqpError
from discovery_collectors.collectors.network.controllers import is_controller
from discovery_collectors.collectors.network.mqtt_version import MqttError
from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.scan_profile import Patience
from discovery_collectors.collectors.network.second_opinion.certificate_signs import named_by
from discovery_collectors.collectors.network.second_opinion.findings import improved
from discovery_collectors.collectors.network.second_opinion.opinion import CONFIDENCE, SecondOpinion
from discovery_collectors.collectors.network.spared_ports import may_write
from discovery_collectors.installed import udp_probes
from discovery_collectors.protocols.certificates import (
    HANDSHAKE_SECONDS,
    Certificate,
    CertificateError,
    fetch_certificate,
)
from discovery_collectors.protocols.udp import SENDINGS_SECONDS, NoAnswerError, UdpProbe, ask
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import ScopedAddress
from dryrun_contract.resource_key import ResourceKey

_HANDSHAKES_AT_ONCE = 16
_FRUITLESS_HANDSHAKES = 12
"""After so many a host's other services are not asked before nmap has named them."""
_BROKERS_AT_ONCE = 16
_QUESTIONS_AT_ONCE = 64
_BROKERS = {"amqp": amqp_version.ask_version, "mqtt": mqtt_version.ask_version}
_BROKERS_CONFIDENCE = 0.94
"""Confidence in a broker's own words: above what a second opinion adds, below what a login shows."""
_PACKETS_PER_CONVERSATION = 15
"""About what one connection with a few questions sends, or one TLS handshake."""


class FollowUp:
    """One run's questions beside nmap's, all at `rate`."""

    def __init__(
        self, patience: Patience, rate: PacketRate, reports: Reports, *, early_certificates: bool = True
    ) -> None:
        """`early_certificates`: whether `read_certificate_early` does what it says."""
        self._early_certificates = early_certificates
        self._patience = patience
        self._rate = rate
        self._reports = reports
        self._opinion = SecondOpinion(patience, rate, reports.warning)
        self._early: defaultdict[ScopedAddress, dict[int, asyncio.Task[Port | None]]] = defaultdict(dict)
        """What is asked while nmap still asks, too."""
        self._spared: dict[ScopedAddress, Callable[[], bool]] = {}
        """Whether a host that was asked meanwhile is found to be one that is not."""
        self._held: defaultdict[ScopedAddress, list[Port]] = defaultdict(list)
        """What waits until it is known whether its host is a printer."""
        self._certificates: dict[tuple[ScopedAddress, int], asyncio.Task[Certificate | CertificateError]] = {}
        """Read while nmap still asks."""
        self._fruitless: Counter[ScopedAddress] = Counter()
        """Handshakes of those that are under way or came to nothing."""
        self._handshakes = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)
        self._conversations = asyncio.Semaphore(_BROKERS_AT_ONCE)
        self._datagrams = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    async def ask_services(self, address: ScopedAddress, ports: tuple[Port, ...]) -> None:
        """Ask a host's services what nmap left open; report what that adds, and certificates.

        Where a printer would print a question, `ask_held` asks.
        """
        early = self._early[address]
        named = [found for port in ports if (found := await self._named_early(address, port)) is not None]
        for port in named:
            self._reports.service(address, port, CONFIDENCE)
        await self._follow(address, named)
        settled = frozenset(port.number for port in named)
        for number in settled & early.keys():
            early[number].cancel()
        ports = tuple(port for port in ports if port.number not in settled)
        for port in ports:
            # What nmap has heard takes precedence, and is asked again if it has no name.
            if port.probed and port.number in early:
                early[port.number].cancel()
        unheard = frozenset(port.number for port in ports if not port.probed and port.number in early)
        ports = tuple(port for port in ports if port.number not in unheard)
        self._held[address] += (port for port in ports if not may_write(port.number))
        await self._ask_services(address, [port for port in ports if may_write(port.number)])
        answers = {number: await early[number] for number in unheard}
        learned = [found for found in answers.values() if found is not None]
        silent = [Port(number) for number, found in answers.items() if found is None]
        await self._opinion.ask_once_more(
            address, silent, learned.append, self._spared.get(address, lambda: True)
        )
        for port in learned:
            self._reports.service(address, port, CONFIDENCE)
        await self._follow(address, learned)

    async def ask_held(self, open_ports: Callable[[ScopedAddress], Collection[int]]) -> None:
        """Ask what was left, where `open_ports`, now all of a host's, and its products show no printer.

        A host that turned out to be a controller is spared.
        """
        async with asyncio.TaskGroup() as group:
            for address, ports in self._held.items():
                known = open_ports(address)
                if not is_controller(known):
                    group.create_task(self._ask_services(address, ports, known))

    def ask_early(
        self, group: asyncio.TaskGroup, address: ScopedAddress, port: Port, spared: Callable[[], bool]
    ) -> None:
        """Begin to ask a port, once, that has understood nothing so far while nmap goes on asking.

        `ask_services` reports what it learns, if nmap hears nothing. `spared`: whether the host is found to
        be one that is not asked.
        """
        if port.number not in self._early[address] and may_write(port.number):
            self._spared[address] = spared
            asking = self._opinion_of(address, port, spared)
            self._early[address][port.number] = group.create_task(asking)

    def read_certificate_early(self, group: asyncio.TaskGroup, address: ScopedAddress, number: int) -> None:
        """Begin to read the certificate of a port, once, that may wait for a TLS handshake.

        Each of nmap's questions may be a connection, within milliseconds of each other, and Mumble bans
        whoever connects ten times: by then a product that its certificate names has to be known.
        """
        wanted = self._early_certificates and (address, number) not in self._certificates
        if wanted and may_write(number):
            reading = self._fetched_early(address, number)
            self._certificates[address, number] = group.create_task(reading)

    async def _fetched_early(self, address: ScopedAddress, number: int) -> Certificate | CertificateError:
        # As many handshakes as a tarpit has ports would hold everybody up.
        if self._fruitless[address] >= _FRUITLESS_HANDSHAKES:
            return CertificateError("other ports of its host were asked in vain")
        self._fruitless[address] += 1
        certificate = await self._fetched(address, number, self._patience.answer)
        if isinstance(certificate, Certificate):
            self._fruitless[address] -= 1
        return certificate

    async def _named_early(self, address: ScopedAddress, port: Port) -> Port | None:
        """Return `port` with the product that its certificate names, where nmap names none."""
        reading = self._certificates.get((address, port.number))
        certificate = None if reading is None or port.product else await reading
        finding = named_by(certificate) if isinstance(certificate, Certificate) else None
        return None if finding is None else improved(port, finding)

    async def _opinion_of(
        self, address: ScopedAddress, port: Port, spared: Callable[[], bool]
    ) -> Port | None:
        learned: list[Port] = []
        await self._opinion.ask(address, (port,), learned.append, spared=spared)
        return learned[-1] if learned else None

    async def _ask_services(
        self, address: ScopedAddress, ports: Collection[Port], open_ports: Collection[int] | None = None
    ) -> None:
        known = {port.number: port for port in ports}

        def on_port(port: Port) -> None:
            known[port.number] = port
            self._reports.service(address, port, CONFIDENCE)

        products = self._reports.products(address)
        await self._opinion.ask(address, ports, on_port, open_ports=open_ports, products=products)
        await self._follow(address, known.values())

    async def _follow(self, address: ScopedAddress, ports: Iterable[Port]) -> None:
        async with asyncio.TaskGroup() as group:
            for port in ports:
                if port.name in _BROKERS and port.probed and not port.product and not port.tls:
                    group.create_task(self._ask_broker(address, port))
                if port.tls or port.name in {"https", "ssl"}:
                    group.create_task(self._read_certificate(address, port.number))

    async def ask_udp_ports(self, address: ScopedAddress) -> None:
        """Send a host every collector's UDP probes; only an answer in the protocol is a service."""
        async with asyncio.TaskGroup() as group:
            for probe in udp_probes():
                group.create_task(self._ask_udp_port(address, probe))

    async def _ask_udp_port(self, address: ScopedAddress, probe: UdpProbe) -> None:
        async with self._datagrams:
            await self._rate.take(len(SENDINGS_SECONDS))
            with suppress(NoAnswerError):
                self._reports.udp_service(address, probe, await ask(address, probe))

    async def _ask_broker(self, address: ScopedAddress, port: Port) -> None:
        async with self._conversations:
            await self._rate.take(_PACKETS_PER_CONVERSATION)
            with suppress(MqttError, AmqpError):
                product, version = await _BROKERS[port.name](address, port.number)
                learned = replace(port, product=product, version=version, confidence=10)
                self._reports.service(address, learned, _BROKERS_CONFIDENCE)

    async def _read_certificate(self, address: ScopedAddress, number: int) -> None:
        """Report the certificate of a service that speaks TLS."""
        reading = self._certificates.get((address, number))
        certificate = None if reading is None else await reading
        if not isinstance(certificate, Certificate):
            certificate = await self._fetched(address, number)
        if isinstance(certificate, Certificate):
            self._reports.certificate(address, number, certificate)
        else:
            self._reports.warning(f"{ResourceKey(address, number, 'tcp')}: {certificate}")

    async def _fetched(
        self, address: ScopedAddress, number: int, seconds: float = HANDSHAKE_SECONDS
    ) -> Certificate | CertificateError:
        """Make one handshake."""
        async with self._handshakes:
            await self._rate.take(_PACKETS_PER_CONVERSATION)
            try:
                return await fetch_certificate(address, number, seconds)
            except CertificateError as error:
                return error
