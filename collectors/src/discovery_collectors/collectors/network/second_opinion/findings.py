"""What a second opinion found, and how it joins what nmap reported."""

from dataclasses import dataclass, replace

from discovery_collectors.collectors.network.nmap_xml import Port

_TEXT_CHARACTERS = 100
_TLS = "ssl"
_SAYS_NOTHING = frozenset({"", "unknown", "tcpwrapped"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a service gave away. Texts are the service's own, cut and without controls."""

    name: str
    """The protocol as nmap calls it, e.g. `http`."""
    product: str = ""
    version: str = ""
    extra: str = ""
    tls: bool = False
    refuted: str = ""
    """The product that it is not, though nmap may say so."""


def improved(port: Port, finding: Finding) -> Port | None:
    """Return `port` with what `finding` adds; None when it adds nothing."""
    # That it speaks TLS says less than what nmap heard through it.
    only_tls = finding.name == _TLS and not finding.product and port.probed and port.name not in _SAYS_NOTHING
    stands = port.probed and port.product != finding.refuted
    product = _cleaned(finding.product) or (port.product if stands else "")
    same_product = product == port.product
    was_called = port.product if stands else ""
    found = replace(
        port,
        name=port.name if only_tls else finding.name or port.name,
        probed=True,
        confidence=10,
        product=product,
        version=_cleaned(finding.version) or (port.version if same_product else ""),
        extra=_cleaned(finding.extra) or (port.extra if same_product else was_called),
        tls=port.tls or finding.tls,
        cpes=port.cpes if same_product else (),
    )
    return None if found == replace(port, confidence=10) else found


def _cleaned(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:_TEXT_CHARACTERS])
    return " ".join(printable.split())
