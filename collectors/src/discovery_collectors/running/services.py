"""Services that other collectors found: each once, as the surest says, and only where the scope admits."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from discovery_collectors.collector import Emit
from discovery_collectors.running.scope import OutOfScopeError, Scope, ScopedAddress
from dryrun_contract.discovery import Discovery
from dryrun_contract.resource_key import ResourceKey

_TLS_NAMES = frozenset({"https", "https-alt", "ssl", "ldaps"})
_SAYS_NOTHING = frozenset({"", "unknown", "tcpwrapped"})


@dataclass(frozen=True, slots=True)
class ToldService:
    """A service as all tellings together describe it; its address may lie anywhere."""

    key: ResourceKey
    data: dict[str, JsonValue]

    @property
    def name(self) -> str:
        """What the protocol is called; empty when nothing is known."""
        return str(self.data.get("name", "")).casefold()

    @property
    def guessed(self) -> bool:
        """Only its port suggests what it is."""
        return self.data.get("method") == "table" or self.name in _SAYS_NOTHING

    @property
    def tls(self) -> bool:
        """It speaks TLS from the first byte on; where only its port suggests what it is, that counts too."""
        return self.data.get("tls") is True or self.name in _TLS_NAMES


@dataclass(frozen=True, slots=True)
class KnownService:
    """A service that may be contacted."""

    address: ScopedAddress
    port: int
    told: ToldService

    @property
    def key(self) -> ResourceKey:
        """Return the service's natural key."""
        return self.told.key


def known_services(
    discoveries: Iterable[Discovery], scope: Scope, emit: Emit, wanted: Callable[[ToldService], bool]
) -> Iterator[KnownService]:
    """Yield the services that are `wanted`. One outside the scope is refused with a warning."""
    merged: dict[str, dict[str, JsonValue]] = {}
    for discovery in sorted(discoveries, key=lambda each: each.confidence):
        if discovery.kind == "service":
            # Told several times, the surest comes last and wins, attribute by attribute.
            merged.setdefault(discovery.key, {}).update(discovery.data)
    for text, data in merged.items():
        told = ToldService(ResourceKey.parse(text), data)
        if told.key.port is None or not wanted(told):
            continue
        try:
            address = scope.admit(told.key.host)
        except OutOfScopeError as error:
            emit.warning(f"{text} is not looked into: {error}")
            continue
        yield KnownService(address, told.key.port, told)
