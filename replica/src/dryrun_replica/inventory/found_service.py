"""What one file, or several together, say of one service."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

STATED = 1.0
"""Confidence in what people's tables state."""
GUESSED = 0.3
"""Confidence in what only the port's number suggests."""
_VERSION = re.compile(r"v?(\d[\w.+~-]{0,20})")
SURE = 0.8
"""From here on a product is known: a scan heard it, or a person wrote it."""


@dataclass(slots=True)
class FoundTls:
    """TLS as the file describes it."""

    versions: tuple[str, ...] = ()
    subject: str | None = None
    issuer: str | None = None
    not_after: datetime | None = None
    self_signed: bool | None = None

    def merged(self, other: "FoundTls | None") -> "FoundTls":
        """Return what both know; where they differ, what this one says."""
        if other is None:
            return self
        return FoundTls(
            self.versions or other.versions,
            self.subject or other.subject,
            self.issuer or other.issuer,
            self.not_after or other.not_after,
            other.self_signed if self.self_signed is None else self.self_signed,
        )


@dataclass(frozen=True, slots=True)
class Greeted:
    """What a server's greeting names."""

    name: str
    product: str | None = None
    """None where it names the protocol only."""
    version: str | None = None


@dataclass(slots=True)
class FoundService:
    """One port as the file describes it; every text is as it stands there."""

    name: str | None = None
    product: str | None = None
    version: str | None = None
    cpe: tuple[str, ...] = ()
    tls: FoundTls | None = None
    is_plain: bool = False
    """Whether somebody says that it speaks no TLS."""
    title: str | None = None
    banner: str | None = None
    confidence: float = STATED
    from_scanner: bool = False
    """Name and product are from a scanner's own tables, and nobody's words."""
    is_by_number: bool = False
    """The name is what the port's number is for, and nobody's word: a scanner that asked knows better."""
    is_mute: bool | None = None
    """Whether a scanner asked what it is and no question had an answer; None where none asked."""
    is_banner: bool = False
    """Its image only shows a banner, or keeps the port open: that of a rehearsal's stand-in."""
    sources: int = 0
    """Where it is described, a bit for each source."""
    name_confidence: float | None = None
    """Confidence in the name, where its source is not the product's."""

    def identified(self, greeted: Greeted) -> "FoundService":
        """Return the service as its greeting identifies it, where no file names a product.

        A protocol that it names without a product counts more than a port's number, and less than any word.
        """
        if greeted.product is None:
            if self.name and not self.is_by_number:
                return self
            return replace(self, name=greeted.name, confidence=SURE, is_by_number=False, is_mute=False)
        return replace(
            self,
            name=greeted.name,
            product=greeted.product,
            version=greeted.version or self.version,
            confidence=SURE,
            from_scanner=True,
            is_by_number=False,
            is_mute=False,
        )

    def merge(self, other: "FoundService") -> None:
        """Take over what `other` knows: the surer product with its version, the surer name, anything new."""
        self.sources |= other.sources
        for guessed, heard in ((self, other), (other, self)):
            if guessed.is_by_number and heard.is_mute is not None and not heard.name:
                guessed.name = None
        named = other if _sureness_of_name(other) > _sureness_of_name(self) else self
        # A version belongs to its product, and so does what it speaks.
        sold = other if sureness_of_product(other) > sureness_of_product(self) else self
        if sold.product and sold.name and sold.name_confidence is None:
            named = sold
        first = sold if sold.product else named
        second = self if first is other else other
        name, by_number = named.name, named.is_by_number
        _, sure_of_name = _sureness_of_name(named)
        differ = first.product and second.product and first.product.casefold() != second.product.casefold()
        self.cpe = first.cpe or (() if differ else second.cpe)
        self.confidence = sold.confidence if sold.product else sure_of_name
        self.name_confidence = sold.name_confidence if named is sold and sold.product else sure_of_name
        self.product, self.version, self.from_scanner = sold.product, sold.version, sold.from_scanner
        self.name, self.is_by_number = name, by_number
        self.tls = first.tls.merged(second.tls) if first.tls is not None else second.tls
        self.is_plain = self.is_plain or other.is_plain
        self.title = first.title or second.title
        self.banner = first.banner or second.banner
        self.is_banner = self.is_banner or other.is_banner
        # An answer that one scan had counts more than another's silence.
        self.is_mute = other.is_mute if self.is_mute is None else self.is_mute and other.is_mute is not False


def _sureness_of_name(service: FoundService) -> tuple[bool, float]:
    known = service.confidence if service.name_confidence is None else service.name_confidence
    return bool(service.name), known


def sureness_of_product(service: FoundService) -> tuple[bool, float, bool, bool]:
    """Two who are sure are equally sure: then whoever knows the version asked, and a person beats a scan."""
    sure = min(service.confidence, SURE)
    return bool(service.product), sure, bool(service.version), not service.from_scanner


def rank(service: FoundService) -> tuple[tuple[bool, float, bool, bool], tuple[bool, float]]:
    """The surest product first, and where none is named the surest name; of equal ones the first file's."""
    product = sureness_of_product(service)
    return (product, (False, 0.0)) if service.product else (product, _sureness_of_name(service))


def described(name: str, *, product: str | None = None, version: str | None = None) -> FoundService:
    """Return a service by the name that a person gave it; `product` and `version` count more than the name.

    >>> service = described("PostgreSQL 15.3")
    >>> service.product, service.version
    ('PostgreSQL', '15.3')
    """
    name = name.strip()[:200]
    head, _, last = name.replace("/", " ").rpartition(" ")
    at_end = _VERSION.fullmatch(last)
    if at_end is not None and head.strip():
        name, version = head.strip(), version or at_end[1]
    # A word may be a protocol or a product: `anonymity` decides which.
    return FoundService(name=name, product=product or name, version=version)
