"""Reads lists of open ports: nmap -oG, masscan -oG and -oL, RustScan -g, and lines `host:port`."""

import re
from dataclasses import dataclass, replace

from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import MAX_TEXT, FoundHost, as_address, identities_of
from dryrun_replica.inventory.found_service import GUESSED, FoundService
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.readers.masscan_answers import answered
from dryrun_replica.inventory.readers.port_cells import OTHER_TRANSPORTS
from dryrun_replica.inventory.readers.scanned_port import (
    ALL_PORTS,
    ASKS,
    DOWN,
    INTERRUPTED,
    NOT_ASKED,
    TWICE,
    ScannedPort,
    name_by_number,
    service_of,
)
from dryrun_replica.inventory.table import decode
from dryrun_replica.inventory.tree import MAX_LINES

BEGINS = re.compile(
    rb"\A(?:\s*#[^\n]*\n)*\s*"
    rb"(?:(?:Timestamp: \d{1,20}\t)?Host: \S{1,255} \([^)\n]{0,255}\)\t|\S{1,255} -> \[[\d, ]*(?:\]\s*$|\Z)|"
    rb"(?:open|banner) (?:tcp|udp|sctp|icmp|arp) \d{1,5} [0-9A-Fa-f.:]{2,45} \d{1,20}(?: [^\n]{1,4000})?$|"
    rb"(?:[\w.-]{1,255}|\[[0-9A-Fa-f:]{2,45}\]):\d{1,5}\s*$)",
    re.MULTILINE,
)
"""How such a file begins, after comments; a list of ports may be longer than what is looked at."""
MAX_PORTS_OF_A_LINE = 65536
_GREPPABLE = re.compile(r"(?:Timestamp: \d{1,20}\t)?Host: (\S{1,255}) \(([^)]{0,255})\)\t(.*)", re.DOTALL)
_RUSTSCAN = re.compile(r"(\S{1,255}) -> \[([\d, ]*)\]")
_PAIR = re.compile(r"(?:\[([0-9A-Fa-f:.%]{2,60})\]|([^\s:,;|]{1,255})):(\d{1,6})")
_MASSCAN = re.compile(
    r"(open|banner) (tcp|udp|sctp|icmp|arp) (\d{1,6}) (\S{1,255}) \d{1,20}(?: (\S{1,100}) (.*))?"
)
_BETWEEN_PORTS = re.compile(r",\s+(?=\d{1,5}/)")
_TRIED = re.compile(r"# Ports scanned: TCP\((\d{1,5});")
_EXPECTED = (
    "expected `Host: … Ports: …` of -oG, `open tcp 22 …` of masscan's -oL, `address -> [ports]` of "
    "RustScan, or `host:port`"
)


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the open ports to `findings`; every fault names its line."""
    text = decode(raw, file, findings.faults)
    if text is None:
        return
    scan = _Scan(findings)
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        where = f"{file}:{number}"
        if number > MAX_LINES:
            findings.faults.add(where, f"is beyond {MAX_LINES:,} lines, the most that is read")
            return
        if line.startswith("#"):
            scan.read_comment(line[:MAX_TEXT])
        elif line and not scan.read_line(line, where):
            findings.faults.add(where, f"{quoted(line)} is none of the lines that are read; {_EXPECTED}")
    if scan.is_nmaps and not scan.is_finished:
        findings.notes[INTERRUPTED] += 1
    if not scan.asked:
        findings.unread.append(
            f"{file}: the scan asked no service what it is; scan with nmap -sV -oX FILE to know their "
            "products and versions"
        )


@dataclass(slots=True)
class _Scan:
    """What the lines of one file said so far."""

    findings: Findings
    is_nmaps: bool = False
    is_finished: bool = False
    asked: bool = False

    def read_comment(self, line: str) -> None:
        """Take what nmap says of the scan."""
        self.is_nmaps = self.is_nmaps or line.startswith("# Nmap ")
        self.asked = self.asked or ASKS.search(line) is not None
        self.is_finished = self.is_finished or line.startswith("# Nmap done")
        _note_tried(line, self.findings)

    def read_line(self, line: str, where: str) -> bool:
        """Add the ports of a line; return whether it is of a form that is read."""
        if (found := _GREPPABLE.fullmatch(line)) is not None:
            _read_greppable(found, where, self.findings, asked=self.asked)
        elif (found := _RUSTSCAN.fullmatch(line)) is not None:
            self._read_rustscan(found, where)
        elif (found := _PAIR.fullmatch(line)) is not None:
            host = _host(found[1] or found[2], self.findings)
            _add_bare(host, found[3], where, self.findings, from_scanner=False)
        elif (found := _MASSCAN.fullmatch(line)) is not None:
            self._read_masscan(found, where)
        else:
            return False
        return True

    def _read_rustscan(self, found: re.Match[str], where: str) -> None:
        """Add the ports of an address, as RustScan lists them."""
        if not _is_bounded(found[2], MAX_PORTS_OF_A_LINE, where, self.findings):
            return
        host = _host(found[1], self.findings)
        for port in filter(None, found[2].replace(" ", "").split(",")):
            _add_bare(host, port, where, self.findings, from_scanner=True)

    def _read_masscan(self, found: re.Match[str], where: str) -> None:
        """Add a port of -oL, or what was heard there."""
        kind, transport, port, address, answer, text = found.groups()
        host = _host(address, self.findings)
        if transport not in {"tcp", "udp"}:
            self.findings.notes[OTHER_TRANSPORTS] += 1
        elif (number := self.findings.port(port, where)) is not None:
            self.asked = self.asked or kind == "banner"
            place: Transport = "udp" if transport == "udp" else "tcp"
            service = answered(answer, text, number, place)
            self.findings.add_service(host, number, place, service, again=TWICE, where=where)


def _note_tried(line: str, findings: Findings) -> None:
    tried = _TRIED.match(line)
    if tried is not None and 0 < int(tried[1]) < ALL_PORTS:
        findings.notes[NOT_ASKED] = max(findings.notes[NOT_ASKED], ALL_PORTS - int(tried[1]))


def _host(text: str, findings: Findings) -> FoundHost:
    host = findings.host(identities_of([text]))
    findings.address(host, text)
    return host


def _is_bounded(ports: str, most: int, where: str, findings: Findings) -> bool:
    """Whether a line lists at most so many ports, as its commas say; more is a fault."""
    if ports.count(",") < most:
        return True
    findings.faults.add(where, f"lists more than {most:,} ports; list each once")
    return False


def _read_greppable(line: re.Match[str], where: str, findings: Findings, *, asked: bool) -> None:
    address, name, rest = line.groups()
    if as_address(address) is None:
        findings.faults.add(where, f"{quoted(address)} is not an address")
        return
    fields = dict(field.partition(": ")[::2] for field in rest.split("\t"))
    if fields.get("Status", "Up").strip() != "Up":  # Unknown, where nmap -sL only lists them.
        findings.notes[DOWN] += 1
        return
    ports = fields.get("Ports", "").strip()
    if not _is_bounded(ports, 2 * MAX_PORTS_OF_A_LINE, where, findings):  # Of TCP and of UDP.
        return
    host = _host(address, findings)
    host.add_name(name)
    for described in _BETWEEN_PORTS.split(ports):
        if described:
            _add_described(host, described, where, findings, asked=asked)


def _add_described(host: FoundHost, text: str, where: str, findings: Findings, *, asked: bool) -> None:
    """Add a port as -oG describes it: port/state/protocol/owner/service/RPC/version/."""
    parts = [part.strip() for part in text[:MAX_TEXT].split("/")]
    if len(parts) < 5:
        findings.faults.add(where, f"{quoted(text)} is no port; expected port/state/protocol/owner/service/…")
        return
    if parts[1] == "open" and parts[2] not in {"tcp", "udp"}:
        findings.notes[OTHER_TRANSPORTS] += 1
        return
    number = findings.port(parts[0], where)
    if number is None or parts[1] != "open":
        return
    transport: Transport = "udp" if parts[2] == "udp" else "tcp"
    tunnel, bar, inner = parts[4].partition("|")
    name = inner if bar and tunnel == "ssl" else parts[4]
    product, version = _version_of(parts[6] if len(parts) > 6 else "")
    is_probed = asked and bool(name) and not name.endswith("?")
    known = {
        "name": name.rstrip("?"),
        "product": product,
        "version": version,
        "tunnel": "ssl" if bar and tunnel == "ssl" else "",
        "method": "probed" if is_probed else "table",
        "conf": "10" if is_probed else "3",
    }
    port = ScannedPort(where, {}, service={field: value for field, value in known.items() if value})
    # Whether it had an answer that it did not know, this form does not say.
    service = replace(service_of(port, asked=asked), is_mute=None)
    if not asked and not service.name:
        name_by_number(service, number, transport)
    findings.add_service(host, number, transport, service, again=TWICE, where=where)


def _version_of(text: str) -> tuple[str, str]:
    """Return product and version of nmap's description, which writes a bar for each slash.

    >>> _version_of("OpenSSH 9.2p1 Debian 2+deb12u3 (protocol 2.0)"), _version_of("ISC BIND")
    (('OpenSSH', '9.2p1 Debian 2+deb12u3'), ('ISC BIND', ''))
    >>> _version_of("2-4 (RPC #100000)"), _version_of("Apache Tomcat|Coyote JSP engine 1.1")
    (('', '2-4'), ('Apache Tomcat/Coyote JSP engine', '1.1'))
    """
    words = re.split(r"\s*\(", text.replace("|", "/"), maxsplit=1)[0].split()
    begins = next((at for at, word in enumerate(words) if re.match(r"v?\d", word)), len(words))
    return " ".join(words[:begins]), " ".join(words[begins:])


def _add_bare(host: FoundHost, text: str, where: str, findings: Findings, *, from_scanner: bool) -> None:
    number = findings.port(text, where)
    if number is not None:
        service = FoundService(confidence=GUESSED, from_scanner=from_scanner)
        name_by_number(service, number, "tcp")
        findings.add_service(host, number, "tcp", service, again=TWICE, where=where)
