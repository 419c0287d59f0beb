"""The plug-in interface: how a collector describes itself, what it is given and where it reports."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from pydantic import JsonValue

from discovery_collectors.protocols.udp import UdpProbe
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import CollectorConfig, Credential, Profile
from dryrun_contract.discovery import Discovery


class CollectorError(RuntimeError):
    """A collector cannot go on; the text says what failed and what to do next."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a collector is, as `DESCRIPTOR` in its folder's `descriptor.py`.

    Command line, help and the scan of the collector `network` follow it. It is imported for every command, so
    it imports no library that only this collector needs.
    """

    summary: str
    """What it discovers, in one line of `discovery-collect --help`."""
    provides: tuple[str, ...]
    """Kinds that it reports, rows of `dryrun_contract.kinds.KINDS`."""
    needs: tuple[str, ...] = ()
    """Kinds that earlier collectors have to find for it; with any, the command line requires `--from`."""
    credentials: frozenset[str] = frozenset()
    """Engines whose credentials it can use; with any, the command line offers `--credentials`."""
    in_clear: frozenset[str] = frozenset()
    """Of these engines, those whose servers receive the password itself. Such a credential is shown only to
    addresses that it names."""
    profiles: Mapping[Profile, str] = field(default_factory=dict)
    """Profile → what it covers; with any, the command line offers `--profile`."""
    tcp_ports: tuple[int, ...] = ()
    """Where its services listen, when nmap's 1000 most common ports leave it out: `network` adds them."""
    udp_probes: tuple[UdpProbe, ...] = ()
    """Questions by which `network` finds its services that answer by UDP."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One run's task, the same whether the orchestrator or a person gave it."""

    scope: Scope
    profile: Profile = "quick"
    max_rate: int | None = None
    """Packets per second at most; None leaves it to the collector."""
    credentials: tuple[Credential, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    """What earlier collectors found."""

    @classmethod
    def from_config(cls, config: CollectorConfig) -> Self:
        """Take over what the orchestrator configured. Raises ScopeError."""
        own = () if config.self is None else (config.self,)
        return cls(
            scope=Scope.parse([config.cidr], [*config.exclude, *own]),
            profile=config.profile,
            max_rate=config.max_rate,
            credentials=config.credentials,
            discoveries=config.discoveries,
        )


class Emit(Protocol):
    """Where a collector reports, at once and in any order; `LineWriter` is the real one."""

    def discovery(self, kind: str, key: str, data: dict[str, JsonValue], confidence: float = 1.0) -> None:
        """Report one discovery. Reported again with the same kind and key, it is the same one."""

    def progress(self, done: int, total: int | None, message: str) -> None:
        """Report how far the run is; `total` is None while unknown."""

    def warning(self, message: str) -> None:
        """Report something that could not be inspected, or that a bound left out (`running/bounds.py`)."""

    def not_covered(self, network: str) -> None:
        """Report what of the scope is not looked at on purpose: the scan is complete without it."""


type Collect = Callable[[Assignment, Emit], Awaitable[None]]
"""`collect` in a collector's `collector.py`: inspect what `assignment.scope` admits, and nothing else.

What cannot be inspected is a warning; it raises CollectorError when the run as a whole is useless.
Cancellation ends every process and connection that it began.
"""
