"""Parses the output of `nmap -oX -` from a foreign collector into the contract's types, as it is written.

Hostile input like any collector's: the parser resolves nothing, an entity or a document type with content
ends the reading, and every text is cut. Results are numbered in order, so that reading the same output again
numbers them the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from xml.parsers import expat  # every declaration ends the reading, see _refuse

from pydantic import JsonValue, ValidationError

from dryrun_contract.discovery import DiscoveryLine, EndLine, ProgressLine, WarningLine
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.text import printable
from dryrun_orchestrator.session.collector_lines import Said

MAX_DEPTH = 32
MAX_TAG_BYTES = 256 * 1024
"""From one `<` to the next: a start tag with its attributes and the text after it."""
SLICE_BYTES = 64 * 1024
MAX_NAMES = 1000
"""Distinct element and attribute names, which the parser keeps; nmap's DTD has under 150."""
MAX_OPEN_PORTS = 20_000
"""Per host; a host is reported once it is complete."""
MAX_TEXT_CHARACTERS = 300
"""Most kept of any text from a target."""
MAX_CPES = 8
MAX_WORD_BYTES = 1024
"""Assumed size of one result in the queue; most are smaller."""
_SERVICE_TEXTS = {"name": "name", "product": "product", "version": "version", "extrainfo": "extra"}
"""nmap's attribute → ours."""

type NmapWord = DiscoveryLine | ProgressLine | WarningLine | EndLine


class _RefusedError(Exception):
    pass


@dataclass(slots=True)
class _Port:
    number: str
    transport: str
    state: str = ""
    data: dict[str, JsonValue] = field(default_factory=dict)
    confidence: float = 0.3
    """nmap's port table alone."""
    cpes: list[JsonValue] = field(default_factory=list)


@dataclass(slots=True)
class _Host:
    up: bool = False
    address: str = ""
    data: dict[str, JsonValue] = field(default_factory=dict)
    ports: list[_Port] = field(default_factory=list)


class NmapOutput:
    """Incremental parser: `feed` returns what is now complete."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._parser = expat.ParserCreate(intern=self._names)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._refuse
        self._parser.UnparsedEntityDeclHandler = self._refuse
        self._parser.ExternalEntityRefHandler = self._refuse
        self._words: list[NmapWord] = []
        self._path: list[str] = []
        self._host: _Host | None = None
        self._text: str | None = None
        self._discoveries = 0
        self._succeeded = False
        self._since_tag = 0
        """Bytes after the last `<`."""
        self._over = False
        """Set when nothing more is read: the output ended, or is not nmap's."""

    def feed(self, data: bytes) -> list[NmapWord]:
        """Take the next bytes."""
        return self._parse(data, final=False)

    def finish(self) -> list[NmapWord]:
        """Return warnings about an output that ends here."""
        return self._parse(b"", final=True)

    def _parse(self, data: bytes, *, final: bool) -> list[NmapWord]:
        if not self._over:
            try:
                # In slices, so that little passes between two checks.
                for start in range(0, len(data), SLICE_BYTES):
                    self._parse_slice(data[start : start + SLICE_BYTES])
                if final:
                    self._parser.Parse(b"", True)
            except (expat.ExpatError, _RefusedError) as error:
                self._over = True
                self._warn(f"the output is not what nmap writes: {error}")
        words, self._words = self._words, []
        return words

    def _parse_slice(self, data: bytes) -> None:
        # No attribute contains `<`, so the distance between two of them bounds the length of a tag.
        first, *others = data.split(b"<")
        self._since_tag += len(first)
        longest = max(map(len, others), default=0)
        if max(self._since_tag, longest) > MAX_TAG_BYTES:
            raise _RefusedError(f"a tag and its text are longer than {MAX_TAG_BYTES} bytes")
        if others:
            self._since_tag = len(others[-1])
        if not self._over:
            self._parser.Parse(data, False)
        if len(self._names) > MAX_NAMES:
            raise _RefusedError(f"it has more than {MAX_NAMES} names of elements and attributes")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "nmaprun":
            raise _RefusedError(f"it begins with <{name}>")
        if len(self._path) == MAX_DEPTH:
            raise _RefusedError(f"it is nested deeper than {MAX_DEPTH} levels")
        # Paths are joined for each element; nmap has no name of 40 characters.
        self._path.append(name[:40])
        place = "/".join(self._path[1:])
        if place == "host":
            self._host = _Host()
        elif self._host is not None:
            self._start_in_host(place, self._host, attributes)
        elif place == "taskprogress":
            self._progress(attributes)
        elif place == "runstats/finished":
            self._succeeded = attributes.get("exit") == "success"

    def _start_in_host(self, place: str, host: _Host, attributes: dict[str, str]) -> None:
        port = host.ports[-1] if host.ports else _Port("", "")
        match place:
            case "host/status":
                host.up = attributes.get("state") == "up"
            case "host/address":
                _read_address(host, attributes)
            case "host/ports/port":
                if len(host.ports) == MAX_OPEN_PORTS:
                    raise _RefusedError(f"a host has more than {MAX_OPEN_PORTS} open ports")
                host.ports.append(_Port(_cut(attributes.get("portid")), _cut(attributes.get("protocol"))))
            case "host/ports/port/state":
                port.state = _cut(attributes.get("state"))
            case "host/ports/port/service":
                _read_service(port, attributes)
            case "host/ports/port/service/cpe":
                self._text = ""

    def _end(self, name: str) -> None:
        place = "/".join(self._path[1:])
        self._path.pop()
        if place == "host/ports/port/service/cpe":
            self._keep_cpe()
        elif place == "host/ports/port" and self._host is not None and self._host.ports:
            # nmap reports "open|filtered" for ports that do not answer: unknown.
            if self._host.ports[-1].state != "open":
                self._host.ports.pop()
        elif place == "host" and self._host is not None:
            self._tell_host(self._host)
            self._host = None
        elif name == "nmaprun" and not self._path:
            self._over = True
            if self._succeeded:
                self._words.append(EndLine(discoveries=self._discoveries))

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text = (self._text + text)[:MAX_TEXT_CHARACTERS]

    def _doctype(self, _name: str, system: str | None, public: str | None, has_content: int) -> None:
        # nmap writes <!DOCTYPE nmaprun>, with nothing in it.
        if system or public or has_content:
            self._refuse()

    def _refuse(self, *_: object) -> int:
        raise _RefusedError("it declares a document type or an entity of its own")

    def _progress(self, attributes: dict[str, str]) -> None:
        try:
            percent = int(float(attributes.get("percent", "0")))
            word = ProgressLine(done=percent, total=100, message=_cut(attributes.get("task")))
        except (ValueError, OverflowError):
            return
        self._words.append(word)

    def _keep_cpe(self) -> None:
        ports = self._host.ports if self._host else []
        if ports and self._text and len(ports[-1].cpes) < MAX_CPES:
            ports[-1].cpes.append(self._text)
        self._text = None

    def _tell_host(self, host: _Host) -> None:
        if not host.up:
            return
        try:
            address = str(ip_address(host.address))
        except ValueError:
            self._warn(f"a host without an address that is one: {host.address}")
            return
        self._discover("host", ResourceKey(address), host.data, 1.0)
        for port in host.ports:
            if port.cpes:
                port.data["cpe"] = port.cpes
            self._tell_port(address, port)

    def _tell_port(self, address: str, port: _Port) -> None:
        if not (port.number.isascii() and port.number.isdecimal() and len(port.number) <= 5):
            self._warn(f"a port that is no number: {port.number[:80]}")
            return
        key = ResourceKey(address, int(port.number), port.transport)
        self._discover("service", key, port.data, port.confidence)

    def _discover(self, kind: str, key: ResourceKey, data: dict[str, JsonValue], confidence: float) -> None:
        try:
            word = DiscoveryLine(kind=kind, key=str(key), data=data, confidence=confidence)
        except ValidationError:
            self._warn(f"a {kind} with a key that is none: {str(key)[:120]}")
            return
        self._discoveries += 1
        self._words.append(word)

    def _warn(self, what: str) -> None:
        self._words.append(WarningLine(message=printable(what, limit=300)[:500]))


class NmapLines:
    """Parses nmap's output as if each result were a line."""

    def __init__(self) -> None:
        self._output = NmapOutput()

    def feed(self, data: bytes) -> Iterator[Said]:
        """Add bytes and return the results that are now complete."""
        return (Said(word, MAX_WORD_BYTES) for word in self._output.feed(data))

    def finish(self) -> Iterator[Said]:
        """Return warnings about an output that ends here."""
        return (Said(word, MAX_WORD_BYTES) for word in self._output.finish())


def _read_address(host: _Host, attributes: dict[str, str]) -> None:
    if attributes.get("addrtype") in {"ipv4", "ipv6"}:
        host.address = attributes.get("addr", "")[:64]
    elif attributes.get("addrtype") == "mac":
        host.data["mac"] = _cut(attributes.get("addr"))
        if attributes.get("vendor"):
            host.data["vendor"] = _cut(attributes.get("vendor"))


def _read_service(port: _Port, attributes: dict[str, str]) -> None:
    for theirs, ours in _SERVICE_TEXTS.items():
        if attributes.get(theirs):
            port.data[ours] = _cut(attributes[theirs])
    if attributes.get("tunnel") == "ssl":
        port.data["tls"] = True
    confidence = attributes.get("conf", "")
    if attributes.get("method") == "probed" and confidence in {str(number) for number in range(11)}:
        port.confidence = int(confidence) / 10


def _cut(text: str | None) -> str:
    return (text or "")[:MAX_TEXT_CHARACTERS]
