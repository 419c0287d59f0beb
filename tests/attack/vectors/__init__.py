"""The attack vectors, one row each, by class. Nothing here is executed: the rows are data."""

from typing import Final

from vectors import (
    container_config,
    endpoints,
    framing,
    headers,
    host_config,
    json_tricks,
    network_bodies,
    paths,
    queries,
    routes,
    victims,
)
from vectors.row import Vector

BY_CLASS: Final[dict[str, tuple[Vector, ...]]] = {
    module.CLASS: module.VECTORS
    for module in (
        host_config,
        container_config,
        endpoints,
        network_bodies,
        json_tricks,
        paths,
        routes,
        queries,
        headers,
        framing,
        victims,
    )
}
ALL: Final[tuple[Vector, ...]] = tuple(vector for rows in BY_CLASS.values() for vector in rows)
