"""One host of a scanner's XML: what its elements say, and which discoveries follow from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from pydantic import JsonValue

from dryrun_contract.discovery import DiscoveryLine, WarningLine
from dryrun_contract.resource_key import ResourceKey
from dryrun_orchestrator.readers.words import discovery, warning

MAX_OPEN_PORTS = 20_000
"""Open ports of a host, which is reported once it is complete."""
MAX_TEXT_CHARACTERS = 300
"""Most kept of any text from a target."""
MAX_CPES = 8
_SERVICE_TEXTS = {
    "name": "name",
    "product": "product",
    "version": "version",
    "extrainfo": "extra",
    "banner": "banner",
}
"""nmap's attribute, or masscan's, → ours."""
_HOST_PROBES = ("arp", "icmp")
"""masscan writes an answer to `--arp` or `--ping` as a port 0 of this transport: it proves a host only."""
_ANSWERS = ("open", "closed", "up")
"""States of a port that only a host that is there can cause."""


class TooManyPortsError(Exception):
    """The host has more open ports than are kept."""


@dataclass(slots=True)
class ReadPort:
    """A port as the output describes it."""

    number: str
    transport: str
    state: str = ""
    data: dict[str, JsonValue] = field(default_factory=dict)
    confidence: float = 0.3
    """By nmap's port table alone, until a probe says more."""
    cpes: list[JsonValue] = field(default_factory=list)

    def read_service(self, attributes: Mapping[str, str]) -> None:
        """Take a `<service>`."""
        for theirs, ours in _SERVICE_TEXTS.items():
            if attributes.get(theirs):
                self.data[ours] = cut(attributes[theirs])
        if attributes.get("tunnel") == "ssl":
            self.data["tls"] = True
        confidence = attributes.get("conf", "")
        if attributes.get("method") == "probed" and confidence in {str(number) for number in range(11)}:
            self.confidence = int(confidence) / 10


@dataclass(slots=True)
class ReadHost:
    """A host as the output describes it; complete at its end tag."""

    state: str | None = None
    """None until a `<status>` says it; masscan writes none."""
    address: str = ""
    data: dict[str, JsonValue] = field(default_factory=dict)
    ports: list[ReadPort] = field(default_factory=list)
    answered: bool = False
    """Some port of it answered."""

    def start_port(self, attributes: Mapping[str, str]) -> None:
        """Take a `<port>`. Raises TooManyPortsError."""
        if len(self.ports) == MAX_OPEN_PORTS:
            raise TooManyPortsError
        self.ports.append(ReadPort(cut(attributes.get("portid")), cut(attributes.get("protocol"))))

    def end_port(self) -> None:
        """Keep the last port only if it is open; nmap's `open|filtered` did not answer: unknown."""
        if not self.ports:
            return
        port = self.ports[-1]
        self.answered = self.answered or port.state in _ANSWERS
        if port.state != "open" or port.transport in _HOST_PROBES:
            self.ports.pop()

    def read_address(self, attributes: Mapping[str, str]) -> None:
        """Take an `<address>`."""
        if attributes.get("addrtype") in {"ipv4", "ipv6"}:
            self.address = attributes.get("addr", "")[:64]
        elif attributes.get("addrtype") == "mac":
            self.data["mac"] = cut(attributes.get("addr"))
            if attributes.get("vendor"):
                self.data["vendor"] = cut(attributes.get("vendor"))

    def discoveries(self) -> Iterator[DiscoveryLine | WarningLine]:
        """Yield the host and its open ports, and a warning for each part that is invalid."""
        up = self.answered if self.state is None else self.state == "up"
        if not up:
            return
        try:
            address = str(ip_address(self.address))
        except ValueError:
            yield warning(f"a host whose address is not an address: {self.address}")
            return
        yield discovery("host", str(ResourceKey(address)), self.data, 1.0)
        for port in self.ports:
            if port.cpes:
                port.data["cpe"] = port.cpes
            if port.number.isascii() and port.number.isdecimal() and len(port.number) <= 5:
                key = ResourceKey(address, int(port.number), port.transport)
                yield discovery("service", str(key), port.data, port.confidence)
            else:
                yield warning(f"a port that is not a number: {port.number[:80]}")


def cut(text: str | None) -> str:
    """Return the beginning of a target's text."""
    return (text or "")[:MAX_TEXT_CHARACTERS]
