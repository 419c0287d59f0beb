"""Everything that is there in one running target, by code that shares nothing with the collectors."""

from target_container import TargetContainer
from truth import databases, directories, products, web
from truth.facts import Facts
from truth.sockets import listeners


def inspect(target: TargetContainer) -> Facts:
    """Return the machine, what listens on it, and what lies behind that."""
    found: Facts = {("host", ""): {}}
    for listener in listeners(target):
        found["service", listener.key] = products.attributes(target, listener)
        for part in (web, databases, directories):
            found |= part.facts(target, listener)
    return found
