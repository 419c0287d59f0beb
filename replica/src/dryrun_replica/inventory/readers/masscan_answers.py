"""What masscan heard on a port: one record for each answer, and for some parts of one."""

from dryrun_replica.inventory.found_host import MAX_TEXT
from dryrun_replica.inventory.found_service import SURE, FoundService, FoundTls
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.readers.scanned_port import (
    ScannedPort,
    name_by_number,
    named_by_server,
    service_of,
)
from dryrun_replica.inventory.well_known import INSIDE_TLS

_PARTS_OF_ANSWERS = frozenset({"html-full", "X509", "X509CA", "vuln", "heartbleed", "ticketbleed"})
"""masscan's names of what it takes out of an answer (`masscan_app_to_string`)."""


def take_answer(port: ScannedPort, name: str, text: str) -> None:
    """Add to a port what masscan heard, which it calls `name`."""
    if name == "title":
        port.title = text
    elif name == "http.server":
        product, version = named_by_server(text)
        named = {"product": product, "version": version}
        port.service = {"name": "http", **{key: value for key, value in named.items() if value}}
    elif name not in _PARTS_OF_ANSWERS:
        port.service, port.banner = {"name": "pop3" if name == "pop" else name}, text


def name_answer(service: FoundService, port: int, transport: Transport) -> None:
    """Believe what masscan calls an answer; guess the rest by number, as nmap does without -sV."""
    inside = INSIDE_TLS.get(service.name, service.name) if service.name else None
    if service.name and inside is None:
        # It heard TLS, and does not ask what is inside.
        service.tls = service.tls or FoundTls()
    if inside not in {None, "unknown"}:
        service.confidence = SURE
        return
    name_by_number(service, port, transport)


def answered(name: str | None, text: str | None, port: int, transport: Transport) -> FoundService:
    """Return the service behind one record of masscan's lists; without a name, of a port that is open."""
    scanned = ScannedPort("", {})
    if name:
        take_answer(scanned, name, (text or "")[:MAX_TEXT])
    service = service_of(scanned, asked=False)
    name_answer(service, port, transport)
    return service
