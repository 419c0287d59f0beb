"""The attack vectors, one row each, by class. Nothing here is executed: the rows are data."""

from typing import Final

from vectors import (
    container_config,
    endpoints,
    extremes,
    framing,
    headers,
    host_config,
    json_tricks,
    network_bodies,
    network_texts,
    paths,
    queries,
    routes,
    victims,
    wire_forms,
)
from vectors.row import Vector

BY_CLASS: Final[dict[str, tuple[Vector, ...]]] = {
    module.CLASS: module.VECTORS
    for module in (
        host_config,
        container_config,
        endpoints,
        network_bodies,
        network_texts,
        extremes,
        json_tricks,
        paths,
        routes,
        queries,
        headers,
        framing,
        wire_forms,
        victims,
    )
}
ALL: Final[tuple[Vector, ...]] = tuple(vector for rows in BY_CLASS.values() for vector in rows)
