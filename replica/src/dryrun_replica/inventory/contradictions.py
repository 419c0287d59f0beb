"""Which files contradict each other about a service: another product, or another version of it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dryrun_replica.inventory.found_service import FoundService, sureness_of_product
from dryrun_replica.inventory.well_known import words_of

MAX_LISTED = 20
"""Contradictions of an inventory that are listed; all are counted."""
_NUMBERS = re.compile(r"\d+")
_WHY = (
    "which names no product",
    "which is less sure",
    "which knows no version",
    "which is a scan's",
    "which comes later",
)
"""Why what another file says does not count, as `sureness_of_product` compares."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What one file says of a service, where another one's word counts."""

    counts: FoundService
    other: FoundService

    @property
    def why(self) -> str:
        """Why the other does not count."""
        pairs = zip(sureness_of_product(self.counts), sureness_of_product(self.other), strict=True)
        return _WHY[next((number for number, (one, two) in enumerate(pairs) if one != two), -1)]


def named_alike(first: str, second: str) -> bool:
    """Return whether one name of a product has all words of the other.

    >>> named_alike("Postfix smtpd", "postfix"), named_alike("nginx", "Apache httpd")
    (True, False)
    """
    one, other = set(words_of(first)), set(words_of(second))
    return one <= other or other <= one


class Contradictions:
    """Finds what files say otherwise of a service; they have many services, of few products."""

    def __init__(self, alike: Callable[[str, str], bool]) -> None:
        """Let `alike` say which names are of one product."""
        self._alike = alike
        self._are_one = lru_cache(maxsize=10_000)(self._agree)

    def of(self, described: Sequence[FoundService]) -> Iterator[Contradiction]:
        """Yield what contradicts the first of `described`, which counts."""
        counts, *others = described
        if counts.product is None:
            return
        for other in others:
            if other.product is not None and not self._are_one(
                counts.product, counts.version, other.product, other.version
            ):
                yield Contradiction(counts, other)

    def _agree(self, product: str, version: str | None, other: str, others: str | None) -> bool:
        return self._alike(product, other) and _same_version(version, others)


def _same_version(first: str | None, second: str | None) -> bool:
    """Return whether two versions are one, as exactly as both are given."""
    if not first or not second:
        return True
    shorter, longer = sorted((_NUMBERS.findall(first), _NUMBERS.findall(second)), key=len)
    return longer[: len(shorter)] == shorter if shorter else first.casefold() == second.casefold()
