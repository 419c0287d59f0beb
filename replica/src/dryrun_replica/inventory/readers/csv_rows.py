"""Reads a table of services that people or their programs wrote: a row for each host, or for each port."""

import re
from ipaddress import ip_interface

from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost, as_address, identities_of
from dryrun_replica.inventory.found_service import GUESSED, STATED, FoundService, FoundTls
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.table import Row, table
from dryrun_replica.inventory.well_known import is_protocol, is_software, protocol_of, words_of

ADDRESS = (
    *("ip_address", "ip", "address", "ipv4", "ipv4_address", "ip_addresses", "ipv6", "ipv6_address"),
    *("ipaddress", "ip_addr", "host_ip", "ip4", "ip6"),
)
NAME = ("host", "hostname", "fqdn", "dns_name", "name", "host_name", "machine", "server", "asset", "device")
PORT = ("port", "ports", "port_number", "portid", "dst_port", "open_ports", "open_port", "tcp_ports")
_TRANSPORT = ("transport", "protocol", "proto", "l4_protocol")
_SERVICE = ("service", "service_name", "app_protocol", "application_protocol")
_PRODUCT = ("product", "software", "application", "app", "service_product")
_VERSION = ("version", "product_version", "software_version", "service_version")
_PURPOSE = ("role", "type", "purpose", "device_role", "function")
_TLS = ("tls", "ssl", "encrypted")
_TITLE = ("title", "http_title")
_READ = frozenset(
    {*ADDRESS, *NAME, *PORT, *_TRANSPORT, *_SERVICE, *_PRODUCT, *_VERSION, *_PURPOSE, *_TLS, *_TITLE}
) | {"cpe", "banner"}
_TWICE = "services that the table lists twice, merged"
_OF_NOTHING = "versions of which the table names no product"
_BY_NUMBER = "services of which the table has only the port, taken for what its number is for"
_WHOSE_BANNER = "banners of a row with several ports, which does not say whose they are, left out"
_NO_NAMES = frozenset({"-", "--", "?", "n/a", "na", "none", "null", "unknown", "localhost"})
"""What people and programs write where a host has no name."""
_PLACE = re.compile(r"([^/]*)(?:/(tcp|udp|sctp|dccp))?", re.IGNORECASE)
_MAPPING = re.compile(r"^(tcp|udp|sctp|dccp)/([^/]*)", re.IGNORECASE)
"""A port as NetBox writes it, e.g. `tcp/443`."""
_NEARLY_AN_ADDRESS = re.compile(
    r"\d+(?:\.\d+){3}(?:[-/:][\d.]*)?|\[[0-9a-f:.]+\]:\d*|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*/\d*",
    re.IGNORECASE,
)
"""What no host is called: a mistyped address, a range, or an address with a port."""
_ZEROS = re.compile(r"(?<![\d:])0+(?=\d)")
MAX_PORTS_OF_A_CELL = 200


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of the table to `findings`; every fault names its line."""
    rows = table(raw, file, findings.faults)
    if rows is None:
        return
    if not {*ADDRESS, *NAME} & {*rows.columns}:
        known = ", ".join((*NAME[:3], *ADDRESS[:3]))
        findings.faults.add(f"{file}:1", f"has no column that names the host; known are {known}")
        return
    findings.note_unread(
        file,
        (heading for column, heading in zip(rows.columns, rows.headings, strict=True) if column not in _READ),
    )
    for row in rows.rows():
        cells = [text for column in (*ADDRESS, *NAME) if (text := row.cells.get(column))]
        texts = [text for text in cells if text.casefold() not in _NO_NAMES]
        if not texts:
            findings.faults.add(row.where, "names no host")
            continue
        if wrong := [
            text for text in texts if _NEARLY_AN_ADDRESS.fullmatch(text) and not _is_of_one_host(text)
        ]:
            findings.faults.add(row.where, f"{quoted(wrong[0])} {_why_none(wrong[0])}")
            continue
        host = findings.host(identities_of(texts))
        if host.addresses and not host.addresses.issuperset(filter(None, map(as_address, texts))):
            findings.notes["rows of a host that other rows give another address, merged by its name"] += 1
        for text in texts:
            findings.address(host, text)
        host.purpose = host.purpose or row.first(*_PURPOSE)
        _add_ports(row, host, findings)


def _why_none(text: str) -> str:
    """Return what is wrong with a text that is nearly a host's address.

    >>> _why_none("10.0.0.01")
    'has zeros before a number, which programs read differently; write 10.0.0.1'
    """
    plain = _ZEROS.sub("", text)
    if plain != text and _is_of_one_host(plain):
        return f"has zeros before a number, which programs read differently; write {plain}"
    return "is not the address of a host; write one address a row, without ranges and ports"


def _is_of_one_host(text: str) -> bool:
    """Whether this is an address, with or without a prefix length, and not a network.

    >>> [_is_of_one_host(text) for text in ("10.0.0.7", "10.0.0.7/24", "10.0.0.0/24", "10.0.0.999")]
    [True, True, False, False]
    """
    try:
        interface = ip_interface(text)
    except ValueError:
        return False
    return interface.network.prefixlen >= interface.max_prefixlen - 1 or interface.ip != interface.network[0]


def _add_ports(row: Row, host: FoundHost, findings: Findings) -> None:
    speaks_tls = row.yes_or_no(_TLS, findings.faults)
    cell = row.first(*PORT)
    if cell is None:
        return
    stated = (row.first(*_TRANSPORT) or "tcp").lower()
    # Some tables call the protocol what the service speaks, others what carries it.
    name = row.first(*_SERVICE) or (stated if stated not in {"tcp", "udp", "sctp", "dccp"} else None)
    product, title = row.first(*_PRODUCT), row.first(*_TITLE)
    if product is None and name is not None and _is_reached_by_http(name):
        name, product = None, name
    if not (name or product) and title:
        name = "http"
    places = ports_of(cell, stated, row.where, findings)
    banner = row.first("banner")
    if banner is not None and len(places) > 1:
        banner = None
        findings.notes[_WHOSE_BANNER] += 1
    says_more = any((name, product, row.first("cpe"), banner))
    if row.first(*_VERSION) and not (product or row.first("cpe")):
        findings.notes[_OF_NOTHING] += 1
    for number, transport in places:
        # Who lists a port and nothing else most often means what its number is for.
        guess = None if says_more else protocol_of(None, None, number, transport)
        if guess is not None:
            findings.notes[_BY_NUMBER] += 1
        service = FoundService(
            name=guess.name if guess is not None else name,
            product=product,
            version=row.first(*_VERSION),
            cpe=tuple(filter(None, [row.first("cpe")])),
            tls=FoundTls() if speaks_tls else None,
            is_plain=speaks_tls is False,
            title=title,
            banner=banner,
            confidence=STATED if guess is None else GUESSED,
            is_by_number=guess is not None,
        )
        findings.add_service(host, number, transport, service, again=_TWICE, where=row.where)


def _is_reached_by_http(name: str) -> bool:
    """Whether a service is called by its software (`elasticsearch`), since what it speaks is HTTP as ever."""
    spoken = protocol_of(name, None, 0, "tcp")
    alone = len(words_of(name)) == 1 and is_software(name) and not is_protocol(name)
    return alone and spoken is not None and spoken.name == "http"


def ports_of(cell: str, stated: str, where: str, findings: Findings) -> list[tuple[int, Transport]]:
    """Return the ports of a cell such as `443`, `80, 443/tcp`, `udp/53` or `{53}`; faults name `where`."""
    parts = [part for part in re.split(r"[\s,;{}\[\]]+", cell) if part]
    if len(parts) > MAX_PORTS_OF_A_CELL:
        findings.faults.add(where, f"lists {len(parts)} ports; at most {MAX_PORTS_OF_A_CELL} are allowed")
        return []
    found: list[tuple[int, Transport]] = []
    for part in parts:
        place = _PLACE.fullmatch(_MAPPING.sub(r"\2/\1", part))
        if place is None or "-" in part[1:]:
            rule = "list ports one by one, without ranges" if "-" in part[1:] else "expected 443 or 443/tcp"
            findings.faults.add(where, f"{quoted(part)} is not a port; {rule}")
            continue
        transport = (place[2] or stated).lower()
        if transport in {"sctp", "dccp"}:
            findings.notes["ports of other protocols than TCP and UDP, left out"] += 1
            continue
        # Spreadsheets write whole numbers as 443.0.
        number = findings.port(re.sub(r"\.0$", "", place[1]), where)
        if number is not None:
            found.append((number, "udp" if transport == "udp" else "tcp"))
    return found
