"""Reads what scanners write as JSON, a line for each result: naabu, httpx, zgrab2 and masscan.

Fields are those of naabu 2.1 to 2.3 (`pkg/runner/output.go`), httpx 1.3 to 1.7 (`runner/types.go`) and zgrab2
of 2024 and later (`scanner.go`), whose results state their port; of masscan, those of -oJ and of -oD.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost, as_address, identities_of
from dryrun_replica.inventory.found_service import GUESSED, SURE, FoundService, FoundTls
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.readers.discoveries import certificate
from dryrun_replica.inventory.readers.masscan_answers import answered
from dryrun_replica.inventory.readers.port_cells import OTHER_TRANSPORTS
from dryrun_replica.inventory.readers.scanned_port import TWICE, name_by_number, named_by_server
from dryrun_replica.inventory.tree import Item, json_lines

_NO_ANSWER = "targets or questions of the scan without an answer, left out"
_FINISHED = re.compile(rb'\{\s*"?finished"?\s*:\s*1\s*\}')
"""How older versions of masscan end a list."""
_HOST_OF_URL = re.compile(r"[a-z]{1,10}://(\[[^\]/]{1,60}\]|[^/:?#\s]{1,255})", re.IGNORECASE)
_NAMES: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "banner": None,
        "jarm": None,
        "mssql": "ms-sql-s",
        "oracle": "oracle-tns",
        "postgres": "postgresql",
        "siemens": "iso-tsap",
        "smb": "microsoft-ds",
        "socks5": "socks5",
        "tls": None,
    }
)
"""Modules of zgrab2 that nmap's table calls otherwise, or that identify no protocol."""
_OVER_UDP = frozenset({"bacnet", "ntp"})


def read_naabu(raw: bytes, file: str, findings: Findings) -> None:
    """Add the open ports of naabu's lines to `findings`; every fault names its line."""
    asked = False
    for line in _objects(raw, file, findings):
        host = _host(line, (line.text("ip"), line.text("host")), findings)
        port = line.member("port")
        of_old = port if port is not None and isinstance(port.value, dict) else None
        number = of_old.member("Port") if of_old is not None else port
        if host is None or number is None or number.value == 0:
            continue  # A line about a host alone.
        transport = _transport(line.text("protocol") if of_old is None else None, findings)
        place = findings.port(number.value, number.where)
        if transport is None or place is None:
            continue
        cpe = line.member("cpes", "cpe")
        service = FoundService(
            name=line.text("name"),
            product=line.text("product"),
            version=line.text("version"),
            cpe=tuple(each for each in cpe.value if isinstance(each, str))
            if cpe is not None and isinstance(cpe.value, list)
            else (),
            tls=FoundTls() if _is_true((of_old or line).member("tls", "TLS")) else None,
        )
        asked = asked or service.product is not None
        _add(host, place, transport, service, line, findings)
    if not asked and findings.hosts:
        findings.unread.append(
            f"{file}: the scan asked no service what it is; scan with nmap -sV to know products and versions"
        )


def read_httpx(raw: bytes, file: str, findings: Findings) -> None:
    """Add the web servers of httpx's lines to `findings`; every fault names its line."""
    for line in _objects(raw, file, findings):
        if _is_true(line.member("failed")):
            findings.notes[_NO_ANSWER] += 1
            continue
        url = _HOST_OF_URL.match(line.text("url") or "")
        resolved = line.member("a")
        addresses = resolved.value if resolved is not None and isinstance(resolved.value, list) else []
        said = [line.text("host_ip"), line.text("host"), url[1] if url is not None else None]
        if not any(as_address(each or "") for each in said) and len(addresses) == 1:
            said.append(str(addresses[0]))
        host = _host(line, said, findings)
        number = line.member("port")
        place = findings.port(number.value if number is not None else None, line.where)
        if host is None or place is None:
            continue
        product, version = named_by_server(line.text("webserver"))
        tls = line.member("tls")
        speaks_tls = line.text("scheme") == "https"
        path = line.text("path") or "/"
        service = FoundService(
            name="http",
            product=product,
            version=version,
            title=line.text("title") if path == "/" else None,
            tls=_tls(tls) if speaks_tls else None,
            is_plain=line.text("scheme") == "http",
        )
        _add(host, place, "tcp", service, line, findings)


def read_zgrab2(raw: bytes, file: str, findings: Findings) -> None:
    """Add the services of zgrab2's lines to `findings`; every fault names its line."""
    for line in _objects(raw, file, findings):
        data = line.member("data")
        for answer in data.members() if data is not None else ():
            if answer.text("status") != "success":
                findings.notes[_NO_ANSWER] += 1
                continue
            number = answer.member("port")
            if number is None:
                answer.fault(
                    "states no port, as zgrab2 did not before 2024; scan again with a newer one, or with "
                    "nmap -sV -oX FILE"
                )
                continue
            place = findings.port(number.value, number.where)
            host = _host(line, (line.text("ip"), line.text("domain")), findings)
            if host is not None and place is not None:
                module = answer.text("protocol") or str(answer.step)
                transport: Transport = "udp" if module in _OVER_UDP else "tcp"
                _add(host, place, transport, _zgrabbed(module, answer), line, findings)


def read_masscan(raw: bytes, file: str, findings: Findings) -> None:
    """Add the open ports of masscan's JSON to `findings`; every fault names its line."""
    # -oJ is a list with an object on each line, and -oD is such lines alone.
    lines = (line.strip(b" \t\r[],") for line in raw.split(b"\n"))
    text = b"\n".join(b"" if _FINISHED.fullmatch(line) else line for line in lines)
    for line in _objects(text, file, findings):
        listed = line.member("ports")
        for port in listed.items() if listed is not None else [line]:
            said = port.member("service", "data")
            number = port.member("port")
            host = _host(line, [line.text("ip")], findings)
            transport = _transport(port.text("proto"), findings)
            if transport is None:
                continue  # ICMP and ARP have no port.
            place = findings.port(number and number.value, (number or port).where)
            status = port.text("status") or _text(said, "status")
            if host is None or place is None or status not in {None, "open"}:
                continue
            name = said.text("name", "service_name") if said is not None else None
            service = answered(name, _text(said, "banner"), place, transport)
            findings.add_service(host, place, transport, service, again=TWICE, where=line.where)


def _zgrabbed(module: str, answer: Item) -> FoundService:
    """Return what an answer to a module of zgrab2 says."""
    result = answer.member("result")
    name = _NAMES.get(module, module)
    if module == "http":
        response = _at(result, "response")
        servers = _at(response, "headers", "server")
        first = next(servers.items(), None) if servers is not None and servers.value else None
        product, version = named_by_server(str(first.value) if first is not None else None)
        log = _at(response, "request", "tls_log")
        tls = _certificate(log) if log is not None else None
        return FoundService(name=name, product=product, version=version, tls=tls)
    identified = _at(result, "server_id")
    return FoundService(
        name=name,
        banner=identified.text("raw") if identified is not None else _text(result, "banner"),
        tls=_certificate(result) if module == "tls" else None,
    )


def _certificate(log: Item | None) -> FoundTls:
    parsed = _at(log, "handshake_log", "server_certificates", "certificate", "parsed")
    if parsed is None:
        return FoundTls()
    validity = parsed.member("validity")
    tls = FoundTls(subject=parsed.text("subject_dn"), issuer=parsed.text("issuer_dn"))
    if validity is not None and (until := validity.text("end")):
        tls.not_after = certificate(_made(validity, {"not_after": until})).not_after
    return tls


def _tls(grabbed: Item | None) -> FoundTls:
    """Return the certificate that httpx read with -tls-grab."""
    if grabbed is None:
        return FoundTls()
    fields = {"subject": "subject_dn", "issuer": "issuer_dn", "not_after": "not_after"}
    found = {name: grabbed.text(field) for name, field in fields.items()}
    tls = certificate(_made(grabbed, found))
    tls.self_signed = tls.subject == tls.issuer if tls.subject and tls.issuer else None
    return tls


def _made(of: Item, value: Mapping[str, str | None]) -> Item:
    return Item(dict(value), of.file, of.faults, of.step, of.parent)


def _at(item: Item | None, *path: str) -> Item | None:
    for name in path:
        item = item.member(name) if item is not None else None
    return item


def _text(item: Item | None, name: str) -> str | None:
    return item.text(name) if item is not None else None


def _objects(raw: bytes, file: str, findings: Findings) -> Iterable[Item]:
    for line in json_lines(raw, file, findings.faults):
        if isinstance(line.value, dict):
            yield line
        else:
            line.fault("is not a result of a scan; expected an object")


def _host(line: Item, said: Iterable[str | None], findings: Findings) -> FoundHost | None:
    """Return the host by its addresses, or else its names: one name may stand for several hosts."""
    texts = [text.strip("[]") for text in said if text]
    addresses = [text for text in texts if as_address(text) is not None]
    if not texts:
        line.fault("names no host")
        return None
    host = findings.host(identities_of(addresses or texts))
    for text in texts:
        findings.address(host, text)
    return host


def _transport(text: str | None, findings: Findings) -> Transport | None:
    if text in {None, "tcp"}:
        return "tcp"
    if text == "udp":
        return "udp"
    findings.notes[OTHER_TRANSPORTS] += 1
    return None


def _is_true(item: Item | None) -> bool:
    return item is not None and item.value is True


def _add(
    host: FoundHost, port: int, transport: Transport, service: FoundService, line: Item, findings: Findings
) -> None:
    service.from_scanner = True
    service.confidence = SURE if service.name or service.product else GUESSED
    if not (service.name or service.product):
        name_by_number(service, port, transport)
    findings.add_service(host, port, transport, service, again=TWICE, where=line.where)
