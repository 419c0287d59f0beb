"""Where a network's machines stand in its drawing: a trunk, a rail per row, and machines hanging from it.

Templates are drawn with it, and sessions while their machines come up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dryrun_contract.template import TemplateService

COLUMNS = 5
NODE_WIDTH = 112
NODE_HEIGHT = 44
_GAP_X = 14
_ROW = 96
_TRUNK_X = 20
_LEFT = 36
_TOP = 18
_DROP = 18


@dataclass(frozen=True, slots=True)
class Node:
    """One machine; `x` and `y` are its upper left corner."""

    name: str
    label: str
    software: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Rail:
    """A row's part of the network."""

    y: int
    end: int


@dataclass(frozen=True, slots=True)
class Dependency:
    """A curve from the machine that needs to the one that is needed, as an SVG path."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole drawing, in units of one pixel."""

    width: int
    height: int
    trunk_x: int
    nodes: tuple[Node, ...]
    rails: tuple[Rail, ...]
    dependencies: tuple[Dependency, ...]


def draw(services: Sequence[TemplateService]) -> Topology:
    """Place `services`; those that others need come after them, further down."""
    ordered = sorted(services, key=lambda service: _depth(service.name, services))
    columns = min(COLUMNS, max(1, len(ordered)))
    nodes = tuple(
        Node(
            name=service.name,
            label=_cut(service.name, 14),
            software=_cut(software_of(service.image), 16),
            x=_LEFT + (position % columns) * (NODE_WIDTH + _GAP_X),
            y=_TOP + (position // columns) * _ROW + _DROP,
        )
        for position, service in enumerate(ordered)
    )
    rows = -(-len(ordered) // columns)
    rails = tuple(
        Rail(
            y=_TOP + row * _ROW,
            end=max(node.x for node in nodes[row * columns : (row + 1) * columns]) + NODE_WIDTH // 2,
        )
        for row in range(rows)
    )
    placed = {node.name: node for node in nodes}
    dependencies = tuple(
        _curve(placed[service.name], placed[needed])
        for service in services
        for needed in service.depends_on
        if needed in placed
    )
    return Topology(
        width=_LEFT + columns * (NODE_WIDTH + _GAP_X),
        height=_TOP + max(rows, 1) * _ROW - 10,
        trunk_x=_TRUNK_X,
        nodes=nodes,
        rails=rails,
        dependencies=dependencies,
    )


def software_of(image: str) -> str:
    """Return what an image is called among people.

    >>> software_of("discovery/test-postgres:17")
    'postgres 17'
    """
    return image.rpartition("/")[2].removeprefix("test-").replace(":", " ")


def _depth(name: str, services: Sequence[TemplateService], seen: frozenset[str] = frozenset()) -> int:
    """Return how many steps of dependencies lead to `name`; a circle ends where it closes."""
    needing = [
        service.name for service in services if name in service.depends_on and service.name not in seen
    ]
    return 1 + max((_depth(other, services, seen | {name}) for other in needing), default=-1)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _curve(needs: Node, needed: Node) -> Dependency:
    """Draw below the machines, so that names stay free."""
    start, end = needs.x + NODE_WIDTH // 2 + 8, needed.x + NODE_WIDTH // 2 - 8
    bottom = needs.y + NODE_HEIGHT
    if needs.y == needed.y:
        low = bottom + 20
        path = f"M{start} {bottom}C{start} {low} {end} {low} {end} {bottom}"
    else:
        path = f"M{start} {bottom}C{start} {bottom + 26} {end} {needed.y - 30} {end} {needed.y}"
    return Dependency(path, f"{needs.name} needs {needed.name}")
