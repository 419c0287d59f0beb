"""Makes answers by which nmap names a product: for software without a recipe.

An answer is generated from the product's own pattern in the table, and is taken only if no earlier line of
the table would name it otherwise. The bytes go into a file as base64 and are sent to whoever asks; nothing
runs them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dryrun_replica.inventory.model import WRAPPED, Service
from dryrun_replica.recipes.answers import NoAnswerError, generate
from dryrun_replica.recipes.probes import PLACES, REFERENCE, Pattern, read_table

MAX_BANNERS = 500
"""Banners of one table: each is matched with thousands of expressions, and there can be any number."""
_MOST_TRIES = 2
"""Patterns of one product."""
_MOST_TRIGGER = 200
_LIKELY_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Banner:
    """An answer, and what nmap makes of it."""

    product: str | None
    version: str | None
    trigger: bytes
    """How the question begins; empty for a greeting."""
    answer: bytes
    hangs_up: "HangsUp" = "when asked"


type HangsUp = Literal["at once", "when asked", "never"]
"""When it ends a connection: as servers do with strangers, with what they do not understand, or as a mute
one, which costs a scanner the wait for each answer."""


def silent(service: Service) -> Banner | None:
    """Return what stands for an open port that no product is known of; None for another.

    Scanners find such a port as they find any other, and learn no more of it than they did.
    """
    if service.transport != "tcp" or service.product is not None:
        return None
    hangs_up: HangsUp = "when asked"
    if service.name == WRAPPED:
        hangs_up = "at once"
    elif service.is_mute:
        hangs_up = "never"
    return Banner(None, None, b"", b"", hangs_up)


@dataclass(frozen=True)
class BannerTable:
    """nmap's table, by product."""

    patterns: Sequence[Pattern]
    _by_product: dict[str, list[int]] = field(init=False, default_factory=dict)
    _found: dict[tuple[object, ...], Banner | None] = field(init=False, default_factory=dict)
    _not_tried: set[tuple[object, ...]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        for number, pattern in enumerate(self.patterns):
            if pattern.product and "$" not in pattern.product:
                self._by_product.setdefault(pattern.product.casefold(), []).append(number)

    @property
    def not_tried(self) -> int:
        """How many products, by version, came after MAX_BANNERS others and have none."""
        return len(self._not_tried)

    def has(self, service: Service) -> bool:
        """Return whether a banner can be made for the service."""
        return self.find(service) is not None

    def find(self, service: Service) -> Banner | None:
        """Return a banner that names the service as the inventory does, with its version if it can be."""
        if service.product is None or service.product.casefold() not in self._by_product:
            return None
        asked = (service.product.casefold(), service.version, service.name, service.transport)
        if asked not in self._found:
            if len(self._found) >= MAX_BANNERS:
                self._not_tried.add(asked)
                return None
            self._found[asked] = self._make(service)
        return self._found[asked]

    def _make(self, service: Service) -> Banner | None:
        assert service.product is not None
        numbers = [
            number
            for number in self._by_product.get(service.product.casefold(), ())
            if self.patterns[number].probe.transport == service.transport
        ]
        best: Banner | None = None
        for number in sorted(numbers, key=lambda number: self._rank(number, service))[:_MOST_TRIES]:
            banner = self._from(number, service.version)
            if banner is not None and (service.version is None or banner.version == service.version):
                return banner
            best = best or banner
        return best

    def _rank(self, number: int, service: Service) -> tuple[bool, bool, bool, int]:
        pattern = self.patterns[number]
        has_version = pattern.version is not None
        return (
            service.name is not None and pattern.service != service.name,
            has_version != (service.version is not None),
            bool(pattern.probe.data),
            number,
        )

    def _from(self, number: int, version: str | None) -> Banner | None:
        pattern = self.patterns[number]
        compiled = pattern.compiled
        if compiled is None or pattern.product is None:
            return None
        for wanted in dict.fromkeys((version, _LIKELY_VERSION, None)):
            groups = {}
            if wanted is not None and pattern.version is not None:
                reference = REFERENCE.fullmatch(pattern.version)
                if reference is not None:
                    groups[int(reference[1])] = wanted.encode("ascii", "replace")
            try:
                answer = _ended(generate(pattern.expression, groups), compiled)
            except NoAnswerError:
                continue
            found = compiled.search(answer)
            if found is not None and self._is_named_first(number, answer):
                return Banner(pattern.product, pattern.version_in(found), _trigger(pattern), answer)
        return None

    def _is_named_first(self, number: int, answer: bytes) -> bool:
        """Return whether no earlier line of the same probe names the answer otherwise."""
        chosen = self.patterns[number]
        for other in self.patterns[:number]:
            if other.probe.name != chosen.probe.name or other.probe.transport != chosen.probe.transport:
                continue
            if other.compiled is not None and other.compiled.search(answer):
                return other.product == chosen.product and other.version == chosen.version
        return True


def load_banners(places: Iterable[Path] = PLACES) -> BannerTable | None:
    """Return the table of this machine's nmap, None without one."""
    for place in places:
        if place.is_file():
            return BannerTable(read_table(place))
    return None


def _ended(answer: bytes, compiled: re.Pattern[bytes]) -> bytes:
    """Return an answer of HTTP with the end of its headers, others with that of a line, where it fits."""
    end = b"\r\n\r\n" if answer.startswith(b"HTTP/") else b"\r\n"
    longer = answer if answer.endswith(end) else answer + end
    return longer if compiled.search(longer) else answer


def _trigger(pattern: Pattern) -> bytes:
    question = pattern.probe.data
    return b"GET " if question.startswith(b"GET / ") else question[:_MOST_TRIGGER]
