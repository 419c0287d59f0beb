"""Reads what `nmap -oX` writes: hosts that are up, and their open ports.

Entities are refused, and every document type but the empty one that nmap writes: nothing is expanded, and
nothing is fetched. Parsing is by expat, which holds one element at a time.
"""

import pyexpat
import re
from datetime import UTC, datetime

from dryrun_replica.inventory.faults import TooLargeError, quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import MAX_TEXT, FoundHost, as_address
from dryrun_replica.inventory.found_service import FoundTls
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.readers.masscan_answers import name_answer, take_answer
from dryrun_replica.inventory.readers.port_cells import OTHER_TRANSPORTS
from dryrun_replica.inventory.readers.scanned_port import (
    ALL_PORTS,
    ASKS,
    DOWN,
    INTERRUPTED,
    NOT_ASKED,
    TWICE,
    VERSION_RANGE,
    ScannedPort,
    service_of,
)

MAX_DEPTH = 24
MAX_ELEMENTS = 4_000_000
MAX_PORTS_OF_A_HOST = 2 * 65536
_PORT = ["host", "ports", "port"]
_CHUNK = 1024 * 1024
_RANGES = "services of which the scan knows only a range of versions: theirs is taken as unknown"
_TLS_VERSION = re.compile(r"(?:SSLv[23]|TLSv1(?:\.[0-3])?)")
_BY_MASSCAN = b'scanner="masscan"'
_WHAT_NEXT = {False: "`nmap --resume FILE` ends one", True: "scan again; masscan ends its file when it ends"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of a scan to `findings`; every fault names its line."""
    reader = _Reader(file, findings)
    parser = pyexpat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: reader.start(name, attributes, parser)
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_entity
    parser.ExternalEntityRefHandler = _refuse_entity
    try:
        for start in range(0, len(raw), _CHUNK):
            parser.Parse(raw[start : start + _CHUNK], False)
        parser.Parse(b"", True)
    except pyexpat.ExpatError as error:
        what = pyexpat.ErrorString(error.code)
        findings.faults.add(
            f"{file}:{error.lineno}",
            f"is not XML: {what}; was the scan interrupted? {_WHAT_NEXT[_BY_MASSCAN in raw[:_CHUNK]]}",
        )
    except (_RefusedError, LookupError, ValueError) as error:
        # An encoding that Python does not know, or one of several bytes a character.
        findings.faults.add(f"{file}:{parser.CurrentLineNumber}", str(error))
    else:
        reader.finish()


class _RefusedError(Exception):
    """The document holds what no scan holds."""


def _refuse_doctype(name: str, system: str | None, public: str | None, has_subset: int) -> None:
    if name != "nmaprun" or system is not None or public is not None or has_subset:
        raise _RefusedError("has a document type of its own, which is refused; nmap writes none")


def _refuse_entity(*_: object) -> int:
    raise _RefusedError("declares an entity, which is refused; nmap writes none")


class _Reader:
    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._path: list[str] = []
        self._elements = 0
        self._hosts = 0
        self._up = True
        self._addresses: list[str] = []
        self._names: list[str] = []
        self._ports: list[ScannedPort] = []
        self._script = ""
        self._tables: list[str] = []
        self._key = ""
        self._finished = False
        self._asked = False
        self._by_masscan = False
        self._is_silent_on = ""
        self._open = 0
        self._heard = 0

    def start(self, name: str, attributes: dict[str, str], parser: "pyexpat.XMLParserType") -> None:
        self._path.append(name)
        self._elements += 1
        if len(self._path) > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise _RefusedError(
                f"goes beyond {MAX_DEPTH} levels or {MAX_ELEMENTS:,} elements, the most that is read"
            )
        if len(self._path) == 1:
            if name != "nmaprun":
                raise _RefusedError(f"begins with {quoted(name)}; nmap's output begins with nmaprun")
            args = attributes.get("args", "")[:MAX_TEXT]
            self._by_masscan = attributes.get("scanner") == "masscan"
            self._asked = ASKS.search(args) is not None
            # Other programs write this format without saying how they asked.
            self._is_silent_on = "--banners" if self._by_masscan else "-sV" if args else ""
        if self._path[1:] == _PORT:
            if len(self._ports) == MAX_PORTS_OF_A_HOST:
                raise _RefusedError(f"has a host with more than {MAX_PORTS_OF_A_HOST:,} ports")
            self._ports.append(ScannedPort(f"{self._file}:{parser.CurrentLineNumber}", attributes))
        elif name == "finished":
            self._finished = True
        else:
            self._read(name, attributes)

    def _read(self, name: str, attributes: dict[str, str]) -> None:
        match self._path:
            case [_, "host"]:
                self._up, self._addresses, self._names, self._ports = True, [], [], []
            case [_, "scaninfo"] if attributes.get("protocol") == "tcp":
                self._asked_ports(attributes.get("numservices", ""))
            case [_, "host", "status"]:
                self._up = attributes.get("state") == "up"
            case [_, "host", "address"] if attributes.get("addrtype") in {"ipv4", "ipv6"}:
                self._addresses.append(attributes.get("addr", "")[:MAX_TEXT])
            case [_, "host", "hostnames", "hostname"]:
                self._names.append(attributes.get("name", "")[:MAX_TEXT])
            case [_, "host", "ports", "port", *inside] if self._ports:
                self._read_port(self._ports[-1], inside, name, attributes)

    def _asked_ports(self, number: str) -> None:
        if number.isascii() and number.isdigit() and len(number) <= 5 and 0 < int(number) < ALL_PORTS:
            notes = self._findings.notes
            # Of several scans, the one that leaves the most open.
            notes[NOT_ASKED] = max(notes[NOT_ASKED], ALL_PORTS - int(number))

    def _read_port(self, port: ScannedPort, inside: list[str], name: str, attributes: dict[str, str]) -> None:
        match inside:
            case ["state"]:
                port.open = attributes.get("state") == "open"
            case ["service"] if "banner" in attributes:
                take_answer(port, attributes.get("name", ""), attributes["banner"][:MAX_TEXT])
            case ["service"]:
                port.service = attributes
            case ["script"]:
                self._script = attributes.get("id", "")
                self._tables = []
                if self._script == "banner":
                    port.banner = attributes.get("output", "")[:MAX_TEXT]
            case ["script", *_]:
                self._read_script(port, name, attributes)

    def _read_script(self, port: ScannedPort, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            del self._tables[len(self._path) - 6 :]
            self._tables.append(attributes.get("key", ""))
            if self._script == "ssl-enum-ciphers" and _TLS_VERSION.fullmatch(self._tables[0]):
                tls = port.tls = port.tls or FoundTls()
                tls.versions = tuple(dict.fromkeys((*tls.versions, self._tables[0])))
        elif name == "elem":
            self._key = attributes.get("key", "")

    def text(self, data: str) -> None:
        """Take the text of an element."""
        if not self._ports or self._path[1:4] != ["host", "ports", "port"]:
            return
        port, name, text = self._ports[-1], self._path[-1], data[:MAX_TEXT]
        if name == "cpe" and len(port.cpe) < 20:
            port.cpe.append(text)
        elif name == "elem" and self._script == "http-title" and self._key == "title":
            port.title = text
        elif name == "elem" and self._script == "ssl-cert":
            self._read_certificate(port, text)

    def _read_certificate(self, port: ScannedPort, text: str) -> None:
        tls = port.tls = port.tls or FoundTls()
        table = self._tables[-1] if len(self._path) > 6 and self._tables else ""
        if table == "validity" and self._key == "notAfter" and _DATE.match(text):
            try:
                tls.not_after = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
            except ValueError:
                return
        elif table in {"subject", "issuer"} and self._key == "commonName":
            if table == "subject":
                tls.subject = f"CN={text}"
            else:
                tls.issuer = f"CN={text}"
            tls.self_signed = tls.subject == tls.issuer if tls.subject and tls.issuer else None

    def end(self, name: str) -> None:
        if self._path == ["nmaprun", "host"]:
            self._hosts += 1
            self._add()
        self._path.pop()
        if name == "elem":
            self._key = ""

    def finish(self) -> None:
        """Say what a complete document lacks."""
        if self._is_silent_on and self._open and not self._heard and not self._asked:
            self._findings.unread.append(
                f"{self._file}: the scan asked no service what it is; scan with {self._is_silent_on} to know "
                "their products and versions"
            )
        if not self._finished:
            self._findings.notes[INTERRUPTED] += 1

    def _add(self) -> None:
        if not self._up:
            self._findings.notes[DOWN] += 1
            return
        addresses = [address for address in map(as_address, self._addresses) if address is not None]
        faulty = len(self._addresses) - len(addresses)
        if faulty:
            self._findings.faults.add(f"{self._file}: host {self._hosts}", "has an invalid address")
        identities = [f"address {address}" for address in addresses]
        try:
            host = self._findings.host(identities or [self._findings.within_source(f"host {self._hosts}")])
            host.addresses.update(addresses)
            for name in self._names:
                host.add_name(name)
            for port in self._ports:
                self._add_port(host, port)
        except TooLargeError as error:
            raise _RefusedError(str(error)) from None

    def _add_port(self, host: FoundHost, port: ScannedPort) -> None:
        protocol = port.attributes.get("protocol", "")
        if port.open and protocol not in {"tcp", "udp"}:
            self._findings.notes[OTHER_TRANSPORTS] += 1
            return
        number = self._findings.port(port.attributes.get("portid", ""), port.where)
        if number is None or not port.open:
            return
        transport: Transport = "tcp" if protocol == "tcp" else "udp"
        service = service_of(port, asked=self._asked)
        self._open += 1
        is_probed = port.service.get("method") == "probed" or (self._by_masscan and bool(port.service))
        self._heard += port.banner is not None or is_probed
        if self._by_masscan:
            name_answer(service, number, transport)
        if VERSION_RANGE.search(port.service.get("version") or ""):
            self._findings.notes[_RANGES] += 1
        self._findings.add_service(host, number, transport, service, again=TWICE, where=port.where)
