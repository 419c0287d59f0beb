"""Where operators move a service away from its usual port: the usual digits stay recognisable."""

from collections.abc import Iterable

_EVERYDAY = (
    *(21, 22, 23, 25, 53, 80, 110, 143, 389, 443, 445, 465, 587, 631, 636, 783, 853, 873, 990, 993, 995),
)
_STORES = (
    1433,
    1521,
    1883,
    2181,
    2379,
    3306,
    4222,
    5432,
    5672,
    5984,
    6379,
    8086,
    9042,
    9092,
    9200,
    11211,
    27017,
)
_WEB = (3000, 3128, 5000, 5601, 8000, 8080, 8443, 8888, 9000, 9090, 15672)
_NETWORKS = (1080, 1194, 2049, 3260, 3389, 3478, 3690, 4369, 5060, 5222, 5900, 6667, 9050, 9418, 10809, 64738)
_QUEUES = (3050, 4730, 5671, 6432, 7474, 7687, 8123, 8529, 11300, 26379, 28015)
_OPERATORS = (2628, 3310, 3632, 4949, 5665, 5666, 6556, 8118, 8200, 8404, 8500, 9091, 9093, 10050, 10051)
_METRICS = (2003, 3100, 6081, 6600, 8428, 9100, 9104, 9115, 9121, 9187)
_IN_FRONT: dict[tuple[int, ...], str] = {
    _EVERYDAY: "123456",
    _STORES: "12345",
    _WEB: "12",
    _NETWORKS: "12",
    _QUEUES: "123",
    _OPERATORS: "12",
    _METRICS: "12",
}
"""Usual ports of the servers that are moved most → the digits that stand in front of them then."""
_WEB_APPLICATIONS = (*range(8000, 8100), *range(8180, 9000, 100), *(101 * each for each in range(81, 100)))
"""Side by side, or told apart by their hundreds (8180, 8280) and twins (8181, 8282)."""
_ZERO_BEHIND = (1433, 3306, 3389, 5432)
"""Usual ports of four digits that are given a fifth behind (33890), too."""
_FORWARDED_SSH = range(2200, 2251)
"""Where Vagrant forwards SSH to (`usable_port_range`)."""
_STEPS = (1, 10, 100)
"""Distances from a usual port to that of a second server of its kind on a host."""
_HIGHEST = 65535


def moved_ports() -> frozenset[int]:
    """Return the customary places beside the usual ports.

    A digit in front of four (5432: 15432 to 55432; of those that are moved less often one of 1 to 3),
    10000 more than five (10050: 20050), the next one, 10 and 100 more (5433, 5442, 5532), digits that fill a
    short number (22: 2222, 1022, 2022, 8022, 9022, 10022, 20022 …; 53: 5300; 389: 1389, 8389, 10389, 3890,
    3389), a zero behind (3389: 33890). And where web applications stand: one beside another, 8000 to 8099, by
    hundreds, 8180 to 8980, and by twins, 8181 to 9999; SSH of virtual machines, 2200 to 2250.
    """
    places = {
        place for ports, digits in _IN_FRONT.items() for usual in ports for place in _places(usual, digits)
    }
    places |= {usual * 10 for usual in _ZERO_BEHIND}
    return frozenset(
        {place for place in places if 1 <= place <= _HIGHEST}.union(_WEB_APPLICATIONS, _FORWARDED_SSH)
    )


def beside(documented: Iterable[int], digits: Iterable[int]) -> frozenset[int]:
    """Return where any server is moved to first: the next port; of three or four `digits` also a 1 in front.

    >>> sorted(beside({2947, 179, 22, 9187}, {2947, 179, 22}))
    [23, 180, 1179, 2948, 9188, 12947]
    """
    places = {port + 1 for port in documented} | {int(f"1{port}") for port in digits if 100 <= port <= 9999}
    return frozenset(place for place in places if place <= _HIGHEST)


def _places(usual: int, in_front: str) -> list[int]:
    digits = str(usual)
    if usual < 100:
        filled = [f"{each}0{digits}" for each in "1289"] + [f"{each}00{digits}" for each in in_front]
        twice = int(digits * 2)
        return [twice, twice + 1, int(f"{digits}0{digits}"), usual * 100, *map(int, filled)]
    if usual < 1000:
        return [int(f"{each}{digits}") for each in ("1", "2", "8", "10", "20", "30", digits[0])] + [
            usual * 10
        ]
    nexts = [usual + step for step in _STEPS]
    if usual < 10000:
        return nexts + [int(f"{each}{digits}") for each in in_front]
    return [*nexts, usual + 10000, usual - 10000]
