"""How well a template covers the network that it stands for, as a bar in the parts of its levels."""

from dataclasses import dataclass

from dryrun_contract.template import Levels

_WIDTH = 1000
_WORDS = {
    "same_version": "the same version",
    "same_product": "another version",
    "relative": "a relative",
    "banner": "a banner or open port",
    "nothing": "nothing",
}


@dataclass(frozen=True, slots=True)
class CoveragePart:
    """One level that some services have; `share` is in percent."""

    name: str
    word: str
    count: int
    share: int
    x: float
    width: float


def draw_coverage(levels: Levels) -> tuple[CoveragePart, ...]:
    """Return the parts from best to worst; none for a network without services."""
    parts: list[CoveragePart] = []
    x = 0.0
    for name, word in _WORDS.items():
        count: int = getattr(levels, name)
        if count:
            width = _WIDTH * count / levels.services
            share = round(100 * count / levels.services)
            parts.append(CoveragePart(name, word, count, share, round(x, 1), round(width, 1)))
            x += width
    return tuple(parts)
