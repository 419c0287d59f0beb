"""Where operators move a service that shall not be at its usual port: the usual digits stay recognisable."""

_EVERYDAY = (21, 22, 23, 25, 53, 80, 110, 143, 389, 443, 445, 587, 631, 636, 783, 873, 993)
_STORES = (1433, 1521, 1883, 2181, 2379, 3306, 4222, 5432, 5672, 5984, 6379, 8086, 9042, 9092, 9200, 11211)
_WEB = (3000, 3128, 5000, 5601, 8000, 8080, 8443, 8888, 9000, 9090, 15672)
_OTHERS = (3389, 5222, 5900, 6667, 27017)
_MOST_MOVED: tuple[int, ...] = (*_EVERYDAY, *_STORES, *_WEB, *_OTHERS)
"""Ports of the servers that are moved most."""
_NETWORKS = (1080, 1194, 2049, 3260, 3478, 3690, 4369, 5060, 9050, 9418, 10809, 64738)
_QUEUES = (3050, 4730, 5671, 6432, 7474, 7687, 8123, 8529, 11300, 26379, 28015)
_OPERATORS = (2628, 3310, 3632, 4949, 5665, 5666, 6556, 8118, 8200, 8404, 8500, 9091, 9093, 10050, 10051)
_METRICS = (2003, 3100, 6081, 6600, 8428, 9100, 9104, 9115, 9121, 9187)
_ALSO_MOVED: tuple[int, ...] = (*_NETWORKS, *_QUEUES, *_OPERATORS, *_METRICS)
_HIGHEST = 65535


def moved_ports() -> frozenset[int]:
    """Return the customary places beside the usual ports.

    A digit in front of four (5432: 15432 to 65432, as far as there are ports; seldom moved ones 1 to 3),
    10000 more than five (10050: 20050), the neighbours (5433, 5434), digits that fill a short number
    (22: 2222, 1022, 2022, 8022, 9022, 10022, 20022 …; 389: 1389, 8389, 10389, 3890).
    """
    places = {place for usual in _MOST_MOVED for place in _places(usual, "123456")}
    places |= {place for usual in _ALSO_MOVED for place in _places(usual, "123")}
    return frozenset(place for place in places if 1 <= place <= _HIGHEST)


def _places(usual: int, in_front: str) -> list[int]:
    digits = str(usual)
    if usual < 100:
        filled = [f"{each}0{digits}" for each in "1289"] + [f"{each}00{digits}" for each in in_front]
        twice = int(digits * 2)
        return [twice, twice + 1, int(f"{digits}0{digits}"), *map(int, filled)]
    if usual < 1000:
        return [int(f"{each}{digits}") for each in ("1", "2", "8", "10", "20", "30")] + [usual * 10]
    if usual < 10000:
        return [usual + 1, usual + 2, *(int(f"{each}{digits}") for each in in_front)]
    return [usual + 1, usual + 2, usual + 10000, usual - 10000]
