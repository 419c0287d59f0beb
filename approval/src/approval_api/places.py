"""Which place lies inside which, by keys alone."""

from dataclasses import replace

from dryrun_contract.resource_key import ResourceKey


def canonical(key: str) -> str:
    """Return `key` in its one spelling; what is no key stays as it is."""
    try:
        return str(ResourceKey.parse(key))
    except ValueError:
        return key


def around(key: str) -> list[str]:
    """Return the keys of what `key` lies inside of, the service first; a host is around nothing."""
    try:
        parsed = ResourceKey.parse(key)
    except ValueError:
        return []
    outer = parsed.service()
    return [str(replace(outer, path=parsed.path[:depth])) for depth in range(len(parsed.path))]


def outside(key: str) -> list[str]:
    """Return the keys of everything around `key`, its host first."""
    try:
        host = ResourceKey.parse(key).host
    except ValueError:
        return []
    return [outer for outer in (host, *around(key)) if outer != key]
