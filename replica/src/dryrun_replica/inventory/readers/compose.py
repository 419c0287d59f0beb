"""Reads a Compose file: each service a host, its image the product, its tag the version.

Only images and ports are looked at. Nothing of it is ever run, and no environment is read, where people keep
their passwords.
"""

import re
from collections.abc import Iterator

from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost
from dryrun_replica.inventory.found_service import STATED, FoundService
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.tree import Item, yaml_item
from dryrun_replica.inventory.well_known import default_port

MAX_REPLICAS = 1_000
_VARIABLE = re.compile(r"\$\{[^}:]{1,100}(?::?-(?P<default>[^}]{0,100}))?[^}]{0,100}\}|\$[A-Za-z_]\w{0,100}")
_SHORT = re.compile(r"(?:.*:)?(?P<first>\d{1,6})(?:-(?P<last>\d{1,6}))?(?:/(?P<transport>[a-z]+))?")
_TAG_VERSION = re.compile(r"v?(?P<version>\d+(?:\.\d+)*(?:-?(?:rc|beta|alpha)\d*)?)")
_MAX_RANGE = 200


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the services of a Compose file to `findings` as hosts; every fault names its path."""
    document = yaml_item(raw, file, findings.faults)
    if document is None:
        return
    services = document.member("services")
    if services is None:
        document.fault("has no services; a Compose file has them at its top")
        return
    for service in services.members():
        if not isinstance(service.value, dict):
            service.fault("is not a service; expected a map with an image")
            continue
        product, version = _image(service, findings)
        places = list(_places(service, findings))
        if not places and product is not None and (port := default_port(product)) is not None:
            places = [(port, "tcp")]
        for number in range(1, _replicas(service) + 1):
            host = _host(service, number, findings)
            for port, transport in places:
                # What a container opens beside its product's own port is unlikely to be another product.
                known = FoundService(product=product, version=version, confidence=STATED)
                findings.add_service(host, port, transport, known)


def _host(service: Item, number: int, findings: Findings) -> FoundHost:
    host = findings.host([findings.within_source(f"service {service.step} {number}")])
    host.is_scoped = True
    host.add_name(str(service.step))
    host.add_name(service.text("container_name", "hostname"))
    return host


def _image(service: Item, findings: Findings) -> tuple[str | None, str | None]:
    text = service.text("image")
    if text is None:
        findings.notes["services of the Compose file without an image, whose product is unknown"] += 1
        return None, None
    text = _VARIABLE.sub(lambda found: found["default"] or "", text[:500]).partition("@")[0]
    path, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        path, tag = text, ""
    # The registry and the namespace before the name are the company's.
    product = path.rpartition("/")[2]
    version = _TAG_VERSION.match(tag)
    return product or None, version["version"] if version else None


def _places(service: Item, findings: Findings) -> Iterator[tuple[int, Transport]]:
    for member in ("ports", "expose"):
        listed = service.member(member)
        if listed is None:
            continue
        for item in listed.items():
            if isinstance(item.value, dict):
                target = item.text("target")
                transport = item.text("protocol") or "tcp"
                text = f"{target}/{transport}"
            else:
                text = str(item.value).strip()[:200]
            yield from _ports(_VARIABLE.sub(lambda found: found["default"] or "", text), item, findings)


def _ports(text: str, item: Item, findings: Findings) -> Iterator[tuple[int, Transport]]:
    short = _SHORT.fullmatch(text)
    if short is None:
        item.fault(f"{quoted(text)} is not a port; expected 8080:80, 80/tcp or a target")
        return
    first = findings.port(short["first"], item.where)
    last = findings.port(short["last"], item.where) if short["last"] else first
    if first is None or last is None:
        return
    if not first <= last < first + _MAX_RANGE:
        item.fault(f"{quoted(text)} is not a range of at most {_MAX_RANGE} ports")
        return
    transport = short["transport"] or "tcp"
    if transport not in {"tcp", "udp"}:
        findings.notes["ports of other protocols than TCP and UDP, left out"] += 1
        return
    for number in range(first, last + 1):
        yield number, "udp" if transport == "udp" else "tcp"


def _replicas(service: Item) -> int:
    deploy = service.member("deploy")
    stated = (deploy.text("replicas") if deploy is not None else None) or service.text("scale") or "1"
    if stated.isascii() and stated.isdigit() and len(stated) <= 6 and int(stated) <= MAX_REPLICAS:
        return int(stated)
    if "$" not in stated:
        service.fault(f"has {quoted(stated)} replicas; at most {MAX_REPLICAS:,} are allowed")
    return 1
