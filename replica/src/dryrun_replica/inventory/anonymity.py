"""Removes from a service's texts what identifies the network.

Names, addresses and domains go. Products stay when they are software that everybody may run; what only this
network calls so becomes `Product-1`. Scanners are not believed either: their scripts quote what targets send.
Titles, certificates and banners quote their owners: the first two keep their form and lose their words, so
that equal ones stay equal, and banners go.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from dryrun_replica.inventory import words
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_service import FoundService, FoundTls
from dryrun_replica.inventory.model import TlsFacts
from dryrun_replica.inventory.public_names import PublicNames, public_cpe, public_version
from dryrun_replica.inventory.well_known import (
    INSIDE_TLS,
    is_common,
    is_listed,
    is_protocol,
    protocol_of,
    software_in,
    words_of,
)

_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)|(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f:]*")
_THREE_OF_FOUR = re.compile(r"(?<!\d)(?=((?:\d{1,3}\.){2}\d{1,3})\.\d)")
"""The first three of any four numbers, also behind letters or another number: `v10.0.0.7`, `1.10.0.0.7`."""
_DOMAIN = re.compile(
    r"\b[A-Za-z][\w-]{0,62}(?:\.[A-Za-z][\w-]{0,62}){0,8}\.(?!(?i:js|io|py|net)\b)[A-Za-z]{2,24}\b"
)
"""Node.js, Socket.IO and ASP.NET are none."""
_MAIL = re.compile(r"[^\s@]@[^\s@]")
_YEARS_OF_CERTIFICATES = range(1970, 9999)
"""X.509 begins in 1950, and a year has to fit before and after."""
_UNNAMED = "unknown"


@dataclass(slots=True)
class _Numbered:
    """Gives equal texts one number, in the order of their first appearance."""

    word: str
    _numbers: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, text: str) -> str:
        return f"{self.word}-{self._numbers.setdefault(text, len(self._numbers) + 1)}"


class Anonymity:
    """What stays of the texts of one inventory; with `keep_names` all that a stand-in can show."""

    def __init__(
        self, findings: Findings, known: PublicNames, notes: Counter[str], *, keep_names: bool
    ) -> None:
        """Count in `notes` what is left out. `known` says which names everybody may use."""
        self._keep_names = keep_names
        self._known = known
        self._notes = notes
        self._identifying = _identifying_words(findings) if not keep_names else frozenset[str]()
        self._addresses = frozenset[str]().union(*(host.addresses for host in findings.hosts))
        self._networks = frozenset(each.rpartition(".")[0] for each in self._addresses if "." in each)
        """First three numbers of their IPv4 addresses."""
        self._products = _Numbered("Product")
        self._titles = _Numbered("Page")
        self._subjects = _Numbered("CN=Subject")

    @property
    def numbered_products(self) -> int:
        """How many products were numbered."""
        return len(self._products)

    def described(self, found: FoundService) -> str:
        """Return product and version in a few words, as far as everybody may read them."""
        product = words.product(found.product or "")
        if product is None or not self._is_public_product(product, found):
            product = "another product"
        version = words.version(found.version or "")
        if version is not None and not self._keep_names:
            version = None if self._names_something(version) else public_version(version)
        return " ".join(filter(None, (product, version)))

    def name_and_product(self, found: FoundService) -> tuple[str | None, str | None]:
        """Return the protocol's name if everybody uses it, and the product, or its number."""
        name = words.service_name(found.name or "")
        product = words.product(found.product or "")
        if product is not None and is_protocol(product):
            # People's tables say HTTPS where they mean what is spoken.
            name, product = product.casefold(), None
        if not found.from_scanner and name not in INSIDE_TLS:
            protocol = protocol_of(name, product, 0, "tcp")
            name = protocol.name if protocol is not None else name
        if name is not None and (name == _UNNAMED or not self._is_public_name(name)):
            name = None
        if product is None or self._is_public_product(product, found):
            return name, product
        known = software_in(product)
        if known is not None and not found.from_scanner:
            self._notes["products reduced to the software that they name"] += 1
            return name, known
        return name, self._products.of(product.casefold())

    def _is_public_name(self, name: str) -> bool:
        return self._keep_names or (not self._identifies(name) and self._known.is_protocol(name))

    def _is_public_product(self, product: str, found: FoundService) -> bool:
        return self._keep_names or (
            not self._identifies(words.one_line(found.product or "") or "")
            and self._known.is_software(product)
        )

    def version(self, text: str | None) -> str | None:
        """Return a version up to where it could hold a name; None for one that begins with one."""
        version = words.version(text or "")
        if version is None or self._keep_names:
            return version
        public = None if self._names_something(version) else public_version(version)
        if public is None:
            self._notes["versions with names in them, left out"] += 1
        elif public != version:
            self._notes["versions cut at what could be a name"] += 1
        return public

    def cpe(self, names: tuple[str, ...], found: FoundService) -> tuple[str, ...]:
        """Return CPE names without what identifies the network; none where the product is numbered."""
        fit = [name for text in names[:8] if (name := words.cpe(text))]
        if self._keep_names:
            return tuple(dict.fromkeys(fit))
        product = words.product(found.product or "")
        if product is not None and not self._is_public_product(product, found):
            return ()
        public = (public_cpe(name) for name in fit if not self._identifies(name.replace(":", " ")))
        return tuple(dict.fromkeys(public))

    def tls(self, found: FoundTls) -> TlsFacts:
        """Return the facts with numbered subjects, and the end of the certificate by its month."""
        until = found.not_after
        if until is not None and until.year not in _YEARS_OF_CERTIFICATES:
            self._notes["ends of certificates that no stand-in can have, left out"] += 1
            until = None
        if until is not None and not self._keep_names:
            until = until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return TlsFacts(
            versions=found.versions,
            subject=self._subject(found.subject),
            issuer=self._subject(found.issuer),
            not_after=until,
            self_signed=found.self_signed,
        )

    def _subject(self, text: str | None) -> str | None:
        line = words.one_line(text or "")
        return line if line is None or self._keep_names else self._subjects.of(line)

    def title(self, text: str | None) -> str | None:
        """Return a title in words that everybody uses; a number for any other."""
        line = words.one_line(text or "")
        if line is None or self._keep_names:
            return line
        # `Welcome to nginx!` says which software it is, and not whose.
        public = line in self._known.titles or all(is_listed(word) for word in words_of(line))
        return line if public and line.isascii() and not self._identifies(line) else self._titles.of(line)

    def banner(self, text: str | None) -> str | None:
        """Return a banner if names are kept: it quotes its owner."""
        line = words.one_line(text or "")
        if line is not None and not self._keep_names:
            self._notes["banners, which quote names and are left out"] += 1
            return None
        return line

    def _identifies(self, text: str) -> bool:
        """Whether a text names something of this network."""
        if self._keep_names:
            return False
        return _ADDRESS.search(text) is not None or self._names_something(text)

    def _names_something(self, text: str) -> bool:
        # Versions of four numbers look like addresses; near the hosts' own, they are taken for some.
        return bool(
            _MAIL.search(text)
            or _DOMAIN.search(text)
            or not self._identifying.isdisjoint(words_of(text))
            or not self._addresses.isdisjoint(text.split())
            or not self._networks.isdisjoint(_THREE_OF_FOUR.findall(text))
        )


def _identifying_words(findings: Findings) -> frozenset[str]:
    """Return the words of all names that the files hold, but for those that any network has."""
    texts = [*findings.words, *(name for host in findings.hosts for name in host.names)]
    found = {word for text in texts for word in words_of(text.replace(".", " ")[:400])}
    bare = {word.rstrip("0123456789") for word in found}
    return frozenset(
        word for word in found | bare if not is_common(word) and not is_common(word.rstrip("0123456789"))
    )
