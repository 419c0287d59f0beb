"""Reads nmap's XML while it is being written. It quotes what targets sent: hostile text in safe markup."""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from discovery_collectors.collectors.network.no_names import names_nothing

_COINCIDENCES = frozenset({"LANDesk remote management"})
"""What nmap calls any answer of 264 bytes, which names nothing."""
_TEXT_CHARACTERS = 300
"""The most that is kept of any text a target chose."""
_CPES = 8
_DECLARATION = b"<!ENTITY"
_TAGS = ("hosthint", "host", "taskprogress", "finished")


class NmapOutputError(ValueError):
    """The output is not what nmap writes; it may have been cut, or tampered with."""


@dataclass(frozen=True, slots=True)
class Port:
    """An open TCP port and what nmap reports of it."""

    number: int
    name: str = ""
    """The protocol as nmap calls it, e.g. `http`; from its port table unless `probed`."""
    probed: bool = False
    """The service's answers showed the protocol."""
    confidence: int = 0
    """nmap's own, 0 to 10."""
    product: str = ""
    version: str = ""
    extra: str = ""
    tls: bool = False
    cpes: tuple[str, ...] = ()
    hostname: str = ""
    """The host name that the service gives."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host that answers, with its open ports."""

    address: str
    reason: str
    """How nmap knows, e.g. `arp-response`; `localhost-response` for the machine itself."""
    mac: str = ""
    vendor: str = ""
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class HostUp:
    """A host that answers, while nmap still looks for its ports."""

    host: Host


@dataclass(frozen=True, slots=True)
class Progress:
    """How far nmap is with one of its tasks."""

    task: str
    percent: float


class NmapReader:
    """Feed it bytes as they come; it yields what is complete and forgets it.

    Entities are refused, nothing is loaded, and libxml2's limits on depth and lengths stay in force.
    """

    def __init__(self) -> None:
        self._parser = etree.XMLPullParser(
            events=("end",),
            tag=_TAGS,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        self._tail = b""
        self.finished = False
        """nmap reported success at its end."""

    def feed(self, chunk: bytes) -> Iterator[Host | HostUp | Progress]:
        """Take the next bytes. Raises NmapOutputError."""
        # nmap escapes every `<` in what it quotes, so a declaration can only come from somebody else.
        seen = self._tail + chunk
        if _DECLARATION in seen:
            raise NmapOutputError("nmap's output declares an entity; nmap itself never does")
        self._tail = seen[-len(_DECLARATION) :]
        try:
            self._parser.feed(chunk)
            for _, element in self._parser.read_events():
                yield from self._read(element)
                element.clear()
                self._forget_before(element)
        except etree.XMLSyntaxError as error:
            raise NmapOutputError(f"nmap's output is not XML: {error.msg}") from None

    @staticmethod
    def _forget_before(element: etree._Element) -> None:
        parent = element.getparent()
        while parent is not None and (previous := element.getprevious()) is not None:
            parent.remove(previous)

    def _read(self, element: etree._Element) -> Iterator[Host | HostUp | Progress]:
        if element.tag == "host":
            host = _read_host(element)
            if host is not None:
                yield host
        elif element.tag == "hosthint":
            host = _read_host(element)
            if host is not None:
                yield HostUp(host)
        elif element.tag == "taskprogress":
            yield Progress(_text(element, "task"), _number(element, "percent"))
        else:
            self.finished = element.get("exit") == "success"


def _read_host(element: etree._Element) -> Host | None:
    status = element.find("status")
    addresses = {entry.get("addrtype", ""): entry for entry in element.iterfind("address")}
    if status is None or status.get("state") != "up" or "ipv4" not in addresses:
        return None
    mac = addresses.get("mac")
    return Host(
        address=_text(addresses["ipv4"], "addr"),
        reason=_text(status, "reason"),
        mac="" if mac is None else _text(mac, "addr"),
        vendor="" if mac is None else _text(mac, "vendor"),
        ports=tuple(_read_ports(element)),
    )


def _read_ports(host: etree._Element) -> Iterator[Port]:
    for element in host.iterfind("ports/port"):
        state = element.find("state")
        if state is None or state.get("state") != "open" or element.get("protocol") != "tcp":
            continue
        number = int(_number(element, "portid"))
        service = element.find("service")
        tls = service is not None and service.get("tunnel") == "ssl"
        if service is None or service.get("product") in _COINCIDENCES:
            yield Port(number, tls=tls)
            continue
        product, version = _text(service, "product"), _text(service, "version")
        yield Port(
            number=number,
            name=_text(service, "name"),
            probed=service.get("method") == "probed",
            confidence=int(_number(service, "conf")),
            product="" if names_nothing(product) and not version else product,
            version=version,
            extra=_text(service, "extrainfo"),
            tls=tls,
            cpes=tuple((cpe.text or "")[:_TEXT_CHARACTERS] for cpe in service.findall("cpe")[:_CPES]),
            hostname=_text(service, "hostname"),
        )


def _text(element: etree._Element, attribute: str) -> str:
    return (element.get(attribute) or "").strip()[:_TEXT_CHARACTERS]


def _number(element: etree._Element, attribute: str) -> float:
    text = element.get(attribute) or "0"
    try:
        return float(text)
    except ValueError:
        raise NmapOutputError(f"nmap's output has {attribute}={text[:40]!r}, which is no number") from None
