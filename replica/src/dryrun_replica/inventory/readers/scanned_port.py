"""What a scan says of one port, and the service that it describes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dryrun_replica.inventory.found_service import GUESSED, FoundService, FoundTls
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.well_known import protocol_of

ALL_PORTS = 65535
ASKS = re.compile(r" -(?:s[A-Z]*V|A)\b")
"""Options of nmap's that ask services what they are."""
DOWN = "hosts that the scan found down, left out"
INTERRUPTED = "scans that were interrupted, without the hosts that come after"
NOT_ASKED = "TCP ports of each host that the scan did not try (no -p-), of which nothing is known"
TWICE = "services that the scan lists twice, merged"
VERSION_RANGE = re.compile(r" or (?:later|earlier|newer|older)|[\dX] - \d")
"""Of some services nmap knows only from when to when their version is; none of them is the version."""
_COINCIDENCES = frozenset({"LANDesk remote management"})
"""What nmap calls any answer of 264 bytes, which names nothing."""
_SERVER = re.compile(r"([A-Za-z][^/(\r\n]{0,59})(?:[/(]v?(\d[^\s()]{0,40}))?")
_CONFIDENCES = frozenset(map(str, range(11)))


@dataclass(slots=True)
class ScannedPort:
    """One port of a scan, and what the scan says of it."""

    where: str
    attributes: Mapping[str, str]
    open: bool = False
    service: Mapping[str, str] = field(default_factory=dict)
    cpe: list[str] = field(default_factory=list)
    title: str | None = None
    banner: str | None = None
    tls: FoundTls | None = None


def service_of(port: ScannedPort, *, asked: bool) -> FoundService:
    """Return what the scan says of a port; `asked` whether it asked services what they are."""
    known = port.service
    tls = port.tls or (FoundTls() if known.get("tunnel") == "ssl" else None)
    probed = known.get("method") == "probed"
    confidence = known.get("conf", "")
    if known.get("product") in _COINCIDENCES:
        return FoundService(tls=tls, confidence=GUESSED, from_scanner=True, is_mute=False)
    return FoundService(
        # Who asked, and got no answer that it knows, writes what the port's number is for: it is not that.
        name=known.get("name") if probed or not asked else None,
        product=known.get("product"),
        version=None if VERSION_RANGE.search(known.get("version") or "") else known.get("version"),
        cpe=tuple(port.cpe),
        tls=tls,
        title=port.title,
        banner=port.banner,
        # nmap writes 0 to 10, and 3 for what it only looked up by the port's number.
        confidence=min(int(confidence), 10) / 10 if probed and confidence in _CONFIDENCES else GUESSED,
        from_scanner=True,
        is_by_number=known.get("method") == "table" and not known.get("product"),
        # What it heard and does not know, it writes as a fingerprint. Of some ports it says nothing at all.
        is_mute=known.get("method") == "table" and "servicefp" not in known if asked and known else None,
    )


def name_by_number(service: FoundService, port: int, transport: Transport) -> None:
    """Call a service that nobody names what the number of its port is for."""
    known = protocol_of(None, None, port, transport)
    service.name, service.is_by_number = known.name if known else None, known is not None


def named_by_server(header: str | None) -> tuple[str | None, str | None]:
    """Return product and version by what a web server calls itself in the header `Server`.

    >>> named_by_server("nginx/1.26.3"), named_by_server("Apache/2.4.57 (Debian) PHP/8.2")
    (('nginx', '1.26.3'), ('Apache', '2.4.57'))
    >>> named_by_server("Oracle HTTP Server"), named_by_server(None), named_by_server("/")
    (('Oracle HTTP Server', None), (None, None), (None, None))
    """
    found = _SERVER.match((header or "").strip())
    return (found[1].strip(), found[2]) if found is not None else (None, None)
