"""Looks for hosts and their open TCP ports by nmap, and reports each as soon as it is found."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.network.listening_ports import MOST_COMMON, rarer_ports
from discovery_collectors.collectors.network.nmap_data import most_common_ports, port_names
from discovery_collectors.collectors.network.nmap_process import Found, GaveUp, OpenPort, run_nmap
from discovery_collectors.collectors.network.nmap_xml import Host, HostUp, Port, Progress
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.spared_ports import PRINTER_SIGNS
from discovery_collectors.installed import tcp_ports
from discovery_collectors.running.scope import OutOfScopeError, ScopedAddress

_MOST_PORTS = 1000
"""Open ports kept of one host. With more it is a tarpit or answers for others: none is a service."""
_AT_ONCE = 8
"""Open ports of one host reported as soon as they are found; others once the host is known not to have
too many. A service that gives its name is reported when it does."""
_PROBES_AT_ONCE = 128
"""On the way at least, however slowly answers come: at half a processor they come late, which nmap takes for
loss. It still waits for each answer, and repeats up to six times what got none."""
_PROBES_PER_SECOND = 500
"""Least rate: otherwise nmap waits over a second for addresses that nobody has, with the same two questions
each. It sends some 20,000 by itself where ports answer, so that none is asked faster than it bears."""
_HOSTS_AT_ONCE = 256
_HOSTS_OF_ALL_PORTS_AT_ONCE = 24
"""nmap keeps 112 B for each closed port until it is done with a group of hosts: all ports of 10 hosts took
97 MB, those of 24 took 205. Three searches for versions take 75 MB each meanwhile, and a collector has 512:
the 34 hosts of a network were too many. A session's 20 targets are one group."""
_TABLE_CONFIDENCE = 3
"""nmap's own for a name from its port table."""
_ITSELF = "localhost-response"


class PortSearch:
    """One run's search. `on_host` and `on_port` are called once for each host and open port found.

    Of a host with more than `_MOST_PORTS` only the first, and those that identify a printer.
    """

    def __init__(
        self,
        assignment: Assignment,
        environment: dict[str, str],
        reports: Reports,
        on_host: Callable[[ScopedAddress], None],
        on_port: Callable[[ScopedAddress, int], None],
    ) -> None:
        self._assignment = assignment
        self._environment = environment
        self._reports = reports
        self._on_host = on_host
        self._on_port = on_port
        self._names: dict[ScopedAddress, dict[int, str]] = {}
        """Host → its open ports as reported, by nmap's table."""
        self._early: defaultdict[str, list[int]] = defaultdict(list)
        """Ports of hosts that nmap has not reported yet; it writes both at the same time."""
        self._crowded: set[ScopedAddress] = set()
        """Hosts with more open ports than are kept."""
        self._held: set[tuple[ScopedAddress, int]] = set()
        """Ports that are not reported before the host's search has ended."""
        self._given_up: set[str] = set()
        """Hosts on whose ports nmap gave up."""
        self._itself: set[str] = set()
        self._refused: set[str] = set()

    @property
    def hosts(self) -> list[ScopedAddress]:
        """Return the hosts found so far."""
        return list(self._names)

    def hosts_without_ports(self) -> list[ScopedAddress]:
        """Return the hosts on which no port was found open."""
        return [address for address, names in self._names.items() if not names]

    async def search_likely_ports(self, max_rate: int | None) -> None:
        """Find hosts (ARP on the local network; ICMP, TCP 443 and 80 beyond) and look where services are."""
        self._reports.progress("looking for hosts")
        likely = ["--top-ports", str(MOST_COMMON + len(rarer_ports(tcp_ports())))]
        targets = map(str, self._assignment.scope.open_networks())
        await self._run(likely, targets, max_rate, _HOSTS_AT_ONCE)

    async def search_other_ports(self, max_rate: int | None) -> None:
        """Look at all other ports of the hosts found."""
        extra = rarer_ports(tcp_ports())
        seen = sorted(most_common_ports(MOST_COMMON) | extra)
        exclusion = ["--exclude-ports", ",".join(map(str, seen))] if len(seen) > MOST_COMMON else []
        if self._names:
            self._reports.progress("looking for open ports")
            await self._run(["-Pn", "-p-", *exclusion], self.hosts, max_rate, _HOSTS_OF_ALL_PORTS_AT_ONCE)

    async def _run(
        self, which: Sequence[str], targets: Iterable[str], max_rate: int | None, at_once: int
    ) -> None:
        # In their order: a controller shows by a low port before its others are asked anything.
        group = ["--min-hostgroup", str(at_once), "--max-hostgroup", str(at_once)]
        options = ["-n", "-v", "-r", "-T4", "--send-eth", *group, *which]
        if max_rate is None:
            options += ["--min-parallelism", str(_PROBES_AT_ONCE), "--min-rate", str(_PROBES_PER_SECOND)]
        else:
            options += ["--max-rate", str(max_rate)]
        try:
            await run_nmap(options, targets, self._environment, self._take)
        finally:
            self._report_held()

    def _report_held(self) -> None:
        for address, number in sorted(self._held, key=lambda held: held[1]):
            if address not in self._crowded:
                self._report(address, number)
        self._held = {held for held in self._held if held[0] in self._crowded}

    def _take(self, found: Found) -> None:
        match found:
            case Progress():
                self._reports.progress(f"looking for open ports: {found.task} {found.percent:.0f} %")
            case OpenPort():
                self._take_port(found)
            case GaveUp() if found.address not in self._given_up:
                self._given_up.add(found.address)
                self._reports.warning(
                    f"{found.address}: so many packets were lost that open ports may be missing; try a lower"
                    " packet rate"
                )
            case HostUp():
                self._take_host(found.host)
            case Host():
                address = self._take_host(found)
                if address is not None:
                    for port in found.ports:
                        self._note(address, port.number, port.name)

    def _take_port(self, found: OpenPort) -> None:
        if found.address in self._names:
            address = self._assignment.scope.admit(found.address)
            self._note(address, found.number, port_names().get(found.number, ""))
        elif len(self._early[found.address]) <= _MOST_PORTS:
            self._early[found.address].append(found.number)

    def _take_host(self, host: Host) -> ScopedAddress | None:
        if host.address in self._itself or host.address in self._refused:
            return None
        # The machine that scans is no discovery, nor is what others found there missed.
        if host.reason == _ITSELF:
            self._itself.add(host.address)
            self._reports.not_covered(host.address)
            return None
        try:
            address = self._assignment.scope.admit(host.address)
        except OutOfScopeError as error:
            self._refused.add(host.address)
            self._reports.warning(f"nmap reported a host that is not a target: {error}")
            return None
        if address not in self._names:
            if not self._names:
                self._reports.progress("looking for open ports")
            self._names[address] = {}
            self._reports.total = len(self._names)
            self._reports.host(address, host)
            self._on_host(address)
            for number in self._early.pop(address, ()):
                self._note(address, number, port_names().get(number, ""))
        return address

    def _note(self, address: ScopedAddress, number: int, name: str) -> None:
        """Report an open port once; again only where nmap alone has its table, and named it later.

        The last report counts, so none may follow that of its versions.
        """
        names = self._names[address]
        known = number in names
        if known and (names[number] or not name or port_names()):
            return
        if not known and len(names) == _MOST_PORTS:
            if number in PRINTER_SIGNS:
                # Not reported, but it decides whether others of the host's ports are written to.
                self._on_port(address, number)
            if address not in self._crowded:
                self._crowded.add(address)
                self._reports.warning(
                    f"{address} has more than {_MOST_PORTS} open ports: it answers on whatever it is asked; "
                    f"the first {_AT_ONCE} are reported, and others that give their names"
                )
            return
        names[number] = name
        if not known and len(names) > _AT_ONCE:
            self._held.add((address, number))
        if (address, number) not in self._held:
            self._report(address, number)
        if not known:
            self._on_port(address, number)

    def _report(self, address: ScopedAddress, number: int) -> None:
        name = self._names[address][number]
        self._reports.service(address, Port(number, name, confidence=_TABLE_CONFIDENCE if name else 0))
