"""Which open ports still wait for version detection, and which of them one run of nmap may take together."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from discovery_collectors.collectors.network.controllers import is_controller
from discovery_collectors.collectors.network.spared_ports import PERHAPS_RADIO
from discovery_collectors.running.scope import ScopedAddress

type Batch = Mapping[ScopedAddress, frozenset[int]]


class PendingPorts:
    """Open ports of all hosts, each handed out once, at most `ports_per_host` of one host."""

    def __init__(self, ports_per_host: int) -> None:
        self._ports_per_host = ports_per_host
        self._waiting: dict[ScopedAddress, set[int]] = {}
        self._accepted: defaultdict[ScopedAddress, int] = defaultdict(int)
        self._known: defaultdict[ScopedAddress, set[int]] = defaultdict(set)
        self._under_way: Counter[ScopedAddress] = Counter()
        """Host → runs that ask it."""

    def __bool__(self) -> bool:
        return any(map(self._may_be_asked, self._waiting))

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, address: object) -> bool:
        return address in self._waiting

    def known(self, address: ScopedAddress) -> frozenset[int]:
        """Return all ports of a host that are known to be open."""
        return frozenset(self._known[address])

    def add(self, address: ScopedAddress, number: int) -> bool:
        """Take in an open port; return whether it will be handed out: a tarpit opens thousands."""
        self._known[address].add(number)
        if self._accepted[address] == self._ports_per_host:
            return False
        self._accepted[address] += 1
        self._waiting.setdefault(address, set()).add(number)
        return True

    def hold(self, address: ScopedAddress, number: int) -> None:
        """Take note of an open port that waits for nothing; no run that its host is in has it."""
        self._known[address].add(number)

    def return_unanswered(self, address: ScopedAddress, numbers: frozenset[int]) -> None:
        """Take back ports that were handed out and not answered."""
        if numbers:
            self._waiting.setdefault(address, set()).update(numbers)

    def take(self, hosts: int) -> Batch:
        """Hand out what waits on up to `hosts` hosts, the longest-waiting first; of a controller one port.

        nmap asks every port of a run on every host of it, so that none is asked twice only where no host has
        open ports among the others' that are not its own turn.
        """
        batch: dict[ScopedAddress, frozenset[int]] = {}
        union: set[int] = set()
        barred: set[int] = set()
        for address, all_waiting in self._waiting.items():
            if not self._may_be_asked(address):
                continue
            known = self._known[address]
            waiting = {min(all_waiting)} if is_controller(known) else all_waiting
            if waiting & barred or (union & known) - waiting:
                continue
            # Where others have them, a host's own may not be known yet.
            if batch and waiting & PERHAPS_RADIO != union & PERHAPS_RADIO:
                continue
            batch[address] = frozenset(waiting)
            union |= waiting
            barred |= known - waiting
            if len(batch) == hosts:
                break
        for address, numbers in batch.items():
            self._under_way[address] += 1
            self._waiting[address] -= numbers
            if not self._waiting[address]:
                del self._waiting[address]
        return batch

    def asked(self, batch: Batch) -> None:
        """Take note that a run has ended; a controller's next port may have its turn."""
        self._under_way -= Counter(batch.keys())

    def _may_be_asked(self, address: ScopedAddress) -> bool:
        return not (self._under_way[address] and is_controller(self._known[address]))
