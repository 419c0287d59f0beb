"""Reads a table of services that people or their programs wrote: a row for each host, or for each port."""

import re
from ipaddress import IPv4Address, ip_address, ip_interface

from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import MAX_TEXT, FoundHost, as_address, identities_of
from dryrun_replica.inventory.found_service import GUESSED, STATED, FoundService, FoundTls, described
from dryrun_replica.inventory.readers.csv_columns import (
    LISTENS_AT,
    PRODUCT,
    PURPOSE,
    SERVICE,
    TLS,
    TRANSPORT,
    VERSION,
    Columns,
)
from dryrun_replica.inventory.readers.port_cells import NOT_OPEN, Place, ports_of
from dryrun_replica.inventory.readers.states import is_open
from dryrun_replica.inventory.table import Row, table
from dryrun_replica.inventory.well_known import (
    INSIDE_TLS,
    PROTOCOLS,
    TLS_PORTS,
    Protocol,
    is_protocol,
    is_software,
    protocol_of,
    words_of,
)

_TWICE = "services that the table lists twice, merged"
_OF_NOTHING = "versions of which the table names no product, as a column 'product' would"
_ON_LOOPBACK = "services that listen on their host's loopback only, left out"
_WITHOUT_PORT = "rows that name a service or a product and no port, of which only the host is read"
_CARRIERS = frozenset({"tcp", "udp", "sctp", "dccp"})
_WHOSE_BANNER = "banners of a row with several ports, which does not say whose they are, left out"
_NO_NAMES = frozenset(
    {"", "-", "--", "?", "n/a", "n/s", "na", "nan", "nil", "none", "null", "unknown", "localhost"}
)
"""What people and programs write where a host has no name; Angry IP Scanner in brackets."""
_NEARLY_AN_ADDRESS = re.compile(
    r"\d+(?:\.\d+){3}(?:[-/:][\d.]*)?|\[[0-9a-f:.]+\]:\d*|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*/\d*",
    re.IGNORECASE,
)
"""What no host is called: a mistyped address, a range, or an address with a port."""
_ZEROS = re.compile(r"(?<![\d:])0+(?=\d)")
_NUMBER = re.compile(r"[1-9][0-9]{7,9}")
"""An IPv4 address as one number, as Shodan writes it in `ip`."""


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of the table to `findings`; every fault names its line."""
    rows = table(raw, file, findings.faults)
    if rows is None:
        return
    columns = Columns.of(rows.columns)
    if not columns.of_hosts & {*rows.columns}:
        known = ", ".join((*columns.names[:3], *columns.addresses[:3]))
        findings.faults.add(
            f"{file}:1",
            f"has no column that names the host; known are {known}. The first line has to be the heading",
        )
        return
    headings = dict(zip(rows.columns, rows.headings, strict=True))
    findings.note_unread(
        file, (heading for column, heading in headings.items() if column not in columns.read)
    )
    of_hosts = [heading for column, heading in headings.items() if column in columns.of_hosts]
    for row in rows.rows():
        cells = [each for text in row.those(columns.addresses) for each in _addresses_in(text)]
        cells += row.those(columns.names)
        texts = [text for text in cells if text.casefold().strip("[](){}<>*") not in _NO_NAMES]
        if not texts:
            findings.faults.add(
                row.where,
                f"names no host in {' or '.join(map(quoted, of_hosts[:4]))}; "
                "write it in each row, also where cells were merged",
            )
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
        host.purpose = host.purpose or row.first(*PURPOSE)
        _add_ports(row, columns, host, findings)


def _addresses_in(text: str) -> list[str]:
    """Return the addresses of a cell, one written as a number as others write it; any other text as it is.

    >>> _addresses_in("10.0.0.1, fd00::1"), _addresses_in("3325256708"), _addresses_in("a, b")
    (['10.0.0.1', 'fd00::1'], ['198.51.100.4'], ['a, b'])
    """
    if _NUMBER.fullmatch(text) and int(text) < 2**32:
        return [str(IPv4Address(int(text)))]
    # A longer text is no list: cut off, its last address could become another's.
    parts = [part for part in re.split(r"[\s,;]+", text) if part] if len(text) <= MAX_TEXT else []
    return parts if parts and all(map(as_address, parts)) else [text] if text else []


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


def _add_ports(row: Row, columns: Columns, host: FoundHost, findings: Findings) -> None:
    speaks_tls = row.yes_or_no(TLS, findings.faults)
    column = next((each for each in columns.ports if each in row.cells), None)
    if column is None:
        is_open(row, host, 0, findings)
        findings.notes[_WITHOUT_PORT] += row.first(*SERVICE, *PRODUCT) is not None
        return
    # Some tables call the protocol what the service speaks, others what carries it, and runZero has both.
    said = [text.casefold() for each in TRANSPORT if (text := row.first(each))]
    stated = next((text for text in said if text in _CARRIERS), said[0] if said else "tcp")
    name = row.first(*SERVICE) or next((text for text in said if text not in _CARRIERS), None)
    places = ports_of(row.cells[column], stated, row.where, findings, column)
    if not is_open(row, host, len(places), findings):
        findings.notes[NOT_OPEN] += len(places)
        return
    at = as_address(row.first(*LISTENS_AT) or "")
    if at is not None and ip_address(at).is_loopback:
        findings.notes[_ON_LOOPBACK] += len(places)
        return
    banner = row.first(*columns.banners)
    if banner is not None and len(places) > 1:
        banner = None
        findings.notes[_WHOSE_BANNER] += 1
    is_alone = len(places) == 1
    has_version_of_nothing = bool(row.first(*VERSION)) and not (row.first(*PRODUCT) or row.first("cpe"))
    for place in places:
        spoken = name or place.name if is_alone else place.name or _at(place, name)
        # Whoever writes only TLS says nothing of what is inside.
        is_only_tls = spoken is not None and INSIDE_TLS.get(spoken.casefold(), spoken) is None
        service = _service(row, columns, place, None if is_only_tls else spoken, is_alone=is_alone)
        has_version_of_nothing = has_version_of_nothing and not service.product
        service.banner = banner
        service.tls = FoundTls() if speaks_tls or is_only_tls else None
        service.is_plain = speaks_tls is False and columns.is_sure_without_tls
        findings.add_service(host, place.number, place.transport, service, again=_TWICE, where=row.where)
    findings.notes[_OF_NOTHING] += has_version_of_nothing


def _at(place: Place, name: str | None) -> str | None:
    """Return what a row's name for several ports means at this one: `https` for 80 and 443, HTTP at 80."""
    inside = None if name is None else INSIDE_TLS.get(name.casefold())
    by_number = protocol_of(None, None, place.number, place.transport)
    is_plain = inside is not None and by_number is not None and by_number.name == inside
    return inside if is_plain and place.number not in TLS_PORTS else name


def _service(row: Row, columns: Columns, place: Place, name: str | None, *, is_alone: bool) -> FoundService:
    """Return what a row says of one of its ports, besides its banner and TLS."""
    product, title, cpe = row.first(*PRODUCT), row.first(*columns.titles), row.first("cpe")
    version = row.first(*VERSION)
    if product is not None and version is None:
        sold = described(product)
        product, version = sold.product, sold.version
    by_number = protocol_of(None, None, place.number, place.transport)
    called = None if place.name else name
    if by_number is not None and not is_alone and _is_called_another(by_number, product, called):
        # A row for a host names what the host is for; SSH beside it is no database.
        return FoundService(name=by_number.name, confidence=GUESSED, is_by_number=True)
    if product is None and name is not None and _is_reached_by_http(name):
        name, product = None, name
    if product is None and name is not None and row.first(*VERSION) and _is_product(name):
        product = name
    if not (name or product) and title:
        name = "http"
    # Who lists a port and nothing else most often means what its number is for. A banner may say more.
    is_bare = not (name or product or cpe)
    guess = by_number if is_bare else None
    return FoundService(
        name=guess.name if guess is not None else name,
        product=product,
        version=version,
        cpe=(cpe,) if cpe else (),
        title=title,
        confidence=STATED if guess is None else GUESSED,
        is_by_number=guess is not None,
    )


def _is_called_another(by_number: Protocol, product: str | None, name: str | None) -> bool:
    """Whether a row for several ports does not mean this one by its product or, without one, its service."""
    if product or name is None:
        return product is not None and _is_of_another(by_number, product)
    # A service that nobody knows (`Active Directory`) says less than the number.
    return protocol_of(name, None, 0, "tcp") is None or _is_of_another(by_number, name)


def _is_of_another(by_number: Protocol, product: str) -> bool:
    """Whether a port's number is for something that a product surely does not serve."""
    own = protocol_of(None, product, 0, "tcp")
    names = {INSIDE_TLS.get(each.name, each.name) for each in (own, by_number) if each is not None}
    if own is None:
        return by_number.role == "remote"
    return own.role != by_number.role and len(names) > 1


def _is_product(name: str) -> bool:
    """Whether a service with a version is called by its software, not by what it speaks as nmap calls it.

    >>> _is_product("PostgreSQL"), _is_product("postgresql"), _is_product("SSH"), _is_product("Postfix")
    (True, False, False, True)
    """
    return is_software(name) and not is_protocol(name) and name not in PROTOCOLS


def _is_reached_by_http(name: str) -> bool:
    """Whether a service is called by its software (`elasticsearch`), since what it speaks is HTTP as ever."""
    spoken = protocol_of(name, None, 0, "tcp")
    alone = len(words_of(name)) == 1 and is_software(name) and not is_protocol(name)
    return alone and spoken is not None and spoken.name == "http"
