"""Everything that is there in one running target, by code that shares nothing with the collectors."""

from collections.abc import Collection

from target_container import TargetContainer
from truth import databases, directories, products, web
from truth.facts import Facts
from truth.sockets import listeners


def inspect(
    target: TargetContainer, served: Collection[str] = (), not_services: Collection[str] = ()
) -> Facts:
    """Return the machine, what listens on it, and what lies behind that.

    `served` are the services that the ground truth states, `not_services` the ports that its image exempts.
    """
    found: Facts = {("host", ""): {}}
    for listener in listeners(target, served):
        if listener.key in not_services:
            continue
        found["service", listener.key] = products.attributes(target, listener)
        for part in (web, databases, directories):
            found |= part.facts(target, listener)
    return found
