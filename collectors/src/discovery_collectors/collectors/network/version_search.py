"""Asks open ports for their versions by nmap, in batches, while other ports are still being looked for."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.network.controllers import is_controller
from discovery_collectors.collectors.network.nmap_process import Asked, Found, NmapError, Understood, run_nmap
from discovery_collectors.collectors.network.nmap_xml import Host, Port
from discovery_collectors.collectors.network.pending_ports import Batch, PendingPorts
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.socks_relay import SocksRelay
from discovery_collectors.collectors.network.unanswered_questions import OnPort, UnansweredQuestions
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import OutOfScopeError, ScopedAddress

_VERSIONED_PORTS = 100
"""Ports of one host that get version detection; a tarpit opens thousands."""
_RUNS_AT_ONCE = 3
"""A run ends with its slowest service; the others' results must not wait for it. Starting one costs 0.2 s of
processor."""
_HOSTS_PER_RUN = 64
_PACKETS_PER_OPEN_PORT = 3
"""Before its versions nmap asks again whether a port is open: SYN, RST, and a look for the host's address."""
_RATE_PER_CONNECTION = 20
"""Packets per second that a connection may need, so that none waits in the relay for longer than nmap."""

type OnVersions = Callable[[ScopedAddress, tuple[Port, ...]], None]


class VersionSearch:
    """One run's version detection. `on_versions` gets a host's ports as nmap names them, each once.

    `on_silent` gets a port before, when it understood nothing so far: nmap still has questions, for seconds.
    `on_waiting` gets one that leaves empty lines unanswered. Neither gets a controller's.
    """

    def __init__(
        self,
        assignment: Assignment,
        options: list[str],
        environment: dict[str, str],
        rate: PacketRate,
        reports: Reports,
        on_versions: OnVersions,
        on_silent: OnPort,
        on_waiting: OnPort,
    ) -> None:
        self._assignment = assignment
        self._options = options
        self._environment = environment
        self._rate = rate
        self._reports = reports
        self._on_versions = on_versions
        self._on_silent = on_silent
        self._on_waiting = on_waiting
        self._pending = PendingPorts(_VERSIONED_PORTS)
        self._tarpits: set[ScopedAddress] = set()
        self._passed_on: set[tuple[ScopedAddress, int]] = set()
        self._asked_again: set[tuple[ScopedAddress, int]] = set()
        self._running = 0
        self.failure: NmapError | None = None
        """Why versions may be missing: a run of nmap failed, the search for ports went on."""
        self._closed = asyncio.Event()
        self._changed = asyncio.Event()
        self.patience_seconds = 0.3
        """How long open ports wait for others to join their run."""

    @property
    def closed(self) -> bool:
        """Whether no port will be added."""
        return self._closed.is_set()

    def add(self, address: ScopedAddress, number: int) -> None:
        """Take in an open port."""
        if not self._pending.add(address, number) and address not in self._tarpits:
            self._tarpits.add(address)
            self._reports.warning(
                f"{address} has more than {_VERSIONED_PORTS} open ports; "
                f"version detection covers the first {_VERSIONED_PORTS}"
            )
        self._changed.set()

    def hold(self, address: ScopedAddress, number: int) -> None:
        """Take note of an open port that is not to be asked, unless it is added later."""
        self._pending.hold(address, number)

    def close(self) -> None:
        """No port will be added."""
        self._closed.set()
        self._changed.set()

    def is_controller(self, address: ScopedAddress) -> bool:
        """Return whether a host's open ports, as far as they are known, are those of a controller."""
        return is_controller(self._pending.known(address))

    def open_ports(self, address: ScopedAddress) -> frozenset[int]:
        """Return a host's open ports, as far as they are known."""
        return self._pending.known(address)

    async def run(self) -> None:
        """Ask until no port will be added and each was asked."""
        limit = 1 if self._rate.per_second is not None else _RUNS_AT_ONCE
        async with asyncio.TaskGroup() as group:
            while self._pending or self._running or not self._closed.is_set():
                if self._pending and self._running < limit:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._closed.wait(), self.patience_seconds)
                    free = limit - self._running
                    batch = self._pending.take(min(_HOSTS_PER_RUN, max(4, -(-len(self._pending) // free))))
                    self._running += 1
                    group.create_task(self._ask(batch))
                    continue
                await self._changed.wait()
                self._changed.clear()

    async def _ask(self, batch: Batch) -> None:
        unheard = dict(batch)
        questions = UnansweredQuestions(batch, self._on_silent, self._on_waiting, self.is_controller)

        def on_found(found: Found) -> None:
            if isinstance(found, Asked):
                questions.take(found)
            if isinstance(found, Understood):
                questions.hear(found)
            if not isinstance(found, Host):
                return
            try:
                address = self._assignment.scope.admit(found.address)
            except OutOfScopeError as error:
                self._reports.warning(f"nmap reported a host that is not a target: {error}")
                return
            heard = frozenset(port.number for port in found.ports)
            unheard[address] = unheard.get(address, frozenset()) - heard
            # Another run's ports may have been found open on this host meanwhile: their own answer stands.
            ports = tuple(port for port in found.ports if (address, port.number) not in self._passed_on)
            for port in ports:
                self._passed_on.add((address, port.number))
                if port.probed:
                    self._reports.service(address, port)
            self._on_versions(address, ports)

        try:
            self._reports.progress("asking services for their versions")
            await self._run_nmap(batch, on_found)
        except NmapError as error:
            self.failure = error
            self._reports.warning(f"versions of services on {len(batch)} hosts may be missing: {error}")
        finally:
            questions.close()
            self._pending.asked(batch)
            self._running -= 1
            self._changed.set()
        for address, numbers in unheard.items():
            # Found open before, so its answer was lost: once more, since a service may also have ended.
            again = frozenset(each for each in numbers if (address, each) not in self._asked_again)
            self._asked_again.update((address, each) for each in again)
            self._pending.return_unanswered(address, again)

    async def _run_nmap(self, batch: Batch, on_found: Callable[[Found], None]) -> None:
        ports = sorted(frozenset[int]().union(*batch.values()))
        options = ["-n", "-v", "-d2", "-T4", "--send-eth", "-Pn", "-sV", *self._options]
        options += ["-p", ",".join(map(str, ports))]
        rate = self._rate.per_second
        if rate is None:
            await run_nmap(options, batch, self._environment, on_found)
            return
        await self._rate.take(_PACKETS_PER_OPEN_PORT * len(ports) * len(batch), ahead=True)
        parallel = max(1, rate // _RATE_PER_CONNECTION)
        options += ["--max-rate", str(max(1, rate // _PACKETS_PER_OPEN_PORT))]
        options += ["--max-parallelism", str(parallel)]
        async with SocksRelay(self._rate, self._assignment.scope) as relay:
            await run_nmap([*options, "--proxies", relay.url], batch, self._environment, on_found)
