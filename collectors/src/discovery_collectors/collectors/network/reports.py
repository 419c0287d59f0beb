"""What the collector `network` reports: hosts, services and certificates as discovery lines."""

import re
from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

from pydantic import JsonValue

from discovery_collectors.collector import Emit
from discovery_collectors.collectors.network.nmap_xml import Host, Port
from discovery_collectors.protocols.udp import Facts, UdpProbe
from discovery_collectors.running.scope import ScopedAddress
from dryrun_contract.resource_key import ResourceKey

if TYPE_CHECKING:
    from discovery_collectors.protocols.certificates import Certificate

_VERSION_RANGE = re.compile(r" or (?:later|earlier|newer|older)|[\dX] - \d")
"""Of some services nmap knows only a range of versions; that is not a version."""


class Reports:
    """Where every part of a scan reports, and how far the scan is."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.done = 0
        self.total: int | None = None
        """Hosts found; `done` counts those scanned completely."""
        self._services: dict[str, tuple[float, int]] = {}
        """Key → confidence and number of values of its last report."""
        self._products: defaultdict[ScopedAddress, set[str]] = defaultdict(set)

    def products(self, address: ScopedAddress) -> Collection[str]:
        """Return the products reported of a host so far."""
        return self._products[address]

    def progress(self, message: str) -> None:
        """Report how far the scan is."""
        self._emit.progress(self.done, self.total, message)

    def warning(self, message: str) -> None:
        """Report what is not inspected."""
        self._emit.warning(message)

    def not_covered(self, address: str) -> None:
        """Report an address that is not looked at on purpose."""
        self._emit.not_covered(address)

    def host(self, address: ScopedAddress, host: Host) -> None:
        """Report a host that answers."""
        texts = {"reason": host.reason, "mac": host.mac, "vendor": host.vendor}
        data: dict[str, JsonValue] = {name: text for name, text in texts.items() if text}
        self._emit.discovery("host", address, data, 1.0 if host.reason == "arp-response" else 0.9)

    def service(self, address: ScopedAddress, port: Port, confidence: float | None = None) -> None:
        """Report a TCP service, by default with nmap's confidence.

        What is less sure than the last report, or as sure and says less, is dropped: a scan's stages overlap,
        and the last report counts.
        """
        # nmap's highest, 10, is still what a service claims; collectors that log in are surer.
        nmaps = max(0.1, port.confidence * 0.09)
        key = str(ResourceKey(address, port.number, "tcp"))
        data, sure = _service_data(port), round(confidence or nmaps, 2)
        if (sure, len(data)) >= self._services.get(key, (0.0, 0)):
            self._services[key] = sure, len(data)
            self._products[address].add(port.product)
            self._emit.discovery("service", key, data, sure)

    def udp_service(self, address: ScopedAddress, probe: UdpProbe, facts: Facts) -> None:
        """Report a UDP service that answered in its protocol."""
        key = str(ResourceKey(address, probe.port, "udp"))
        self._emit.discovery("service", key, {"name": probe.name, "method": "probed", **facts}, 0.9)

    def certificate(self, address: ScopedAddress, number: int, certificate: "Certificate") -> None:
        """Report the certificate that a TCP service shows."""
        data: dict[str, JsonValue] = {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "names": list(certificate.names),
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
            "self_signed": certificate.self_signed,
            "sha256": certificate.sha256,
        }
        if certificate.names_total > len(certificate.names):
            data["names_total"] = certificate.names_total
        self._emit.discovery("certificate", str(ResourceKey(address, number, "tcp")), data)


def _service_data(port: Port) -> dict[str, JsonValue]:
    texts = {
        "name": port.name,
        "method": "probed" if port.probed else "table",
        "product": port.product,
        "version_range" if _VERSION_RANGE.search(port.version) else "version": port.version,
        "extra": port.extra,
        "hostname": port.hostname,
    }
    data: dict[str, JsonValue] = {name: text for name, text in texts.items() if text}
    if port.tls:
        data["tls"] = True
    if port.cpes:
        data["cpe"] = list(port.cpes)
    return data
