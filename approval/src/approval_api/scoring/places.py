"""Which place lies inside which, by keys alone; each lookup is one binary search, however deep a key is."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator

from dryrun_contract.resource_key import ResourceKey

_AFTER_SLASH = chr(ord("/") + 1)


def canonical(key: str) -> str:
    """Return `key` in canonical form; an invalid key is returned as it is."""
    try:
        return str(ResourceKey.parse(key))
    except ValueError:
        return key


def host_of(key: str) -> str | None:
    """Return the host that `key` lies on; None for an invalid key."""
    try:
        return ResourceKey.parse(key).host
    except ValueError:
        return None


class SortedKeys:
    """Canonical keys in order, so that the keys inside a place are one range."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Sort `keys`, all of them valid."""
        self._keys = sorted(set(keys))

    def inside(self, place: str) -> Iterator[str]:
        """Yield the keys that lie inside a service, or inside something in one; a host has nothing inside."""
        # A host's key is followed by a colon, never by a slash.
        start = bisect_left(self._keys, f"{place}/")
        end = bisect_left(self._keys, f"{place}{_AFTER_SLASH}", lo=start)
        return (self._keys[index] for index in range(start, end))


def innermost_around(keys: Iterable[str], places: Collection[str]) -> dict[str, str]:
    """Return the innermost of `places` around each key, which may be its host; keys without are left out.

    All are canonical. A place is not around itself, and nothing is around an invalid key.
    """
    hosts = {key: host for key in keys if (host := host_of(key)) is not None}
    found = {key: host for key, host in hosts.items() if host != key and host in places}
    asked = [(_by_level(key), False, key) for key in hosts] + [(_by_level(key), True, key) for key in places]
    around: list[str] = []
    for _, is_place, key in sorted(asked):
        # In this order, every place around a key comes before it, and a place that was left never returns.
        while around and not key.startswith(f"{around[-1]}/"):
            around.pop()
        if is_place:
            around.append(key)
        elif around:
            found[key] = around[-1]
    return found


def _by_level(key: str) -> str:
    """Return a sort key with each place directly before what lies inside it: NUL is the lowest character."""
    return key.replace("/", "\0")
