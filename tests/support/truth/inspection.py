"""Everything that is there in one running target, by code that shares nothing with the collectors."""

import re
from collections.abc import Collection

from target_container import TargetContainer
from truth import databases, directories, products, web
from truth.facts import Facts
from truth.sockets import Listener, listeners


def inspect(
    target: TargetContainer, served: Collection[str] = (), not_services: Collection[str] = ()
) -> Facts:
    """Return the machine, what listens on it, and what lies behind that.

    `served` are the services that the ground truth states, `not_services` the ports that its image exempts.
    """
    found: Facts = {("host", ""): {}}
    for listener in listeners(target, served):
        if is_exempt(listener, not_services):
            continue
        found["service", listener.key] = products.attributes(target, listener)
        for part in (web, databases, directories):
            found |= part.facts(target, listener)
    return found


def is_exempt(listener: Listener, not_services: Collection[str]) -> bool:
    """Return whether an image says of a port, or of a span of ports, that nothing is served there."""
    for each in not_services:
        span = re.fullmatch(r":(\d+)(?:-(\d+))?/(tcp|udp)", each)
        assert span is not None, each
        first, last = int(span[1]), int(span[2] or span[1])
        if listener.transport == span[3] and first <= listener.port <= last:
            return True
    return False
