"""Where operators move a service that shall not be at its usual port: the usual digits stay recognisable."""

_EVERYDAY = (21, 22, 23, 25, 53, 80, 110, 143, 389, 443, 445, 587, 636, 873, 993)
_STORES = (1433, 1521, 1883, 2181, 2379, 3306, 4222, 5432, 5672, 5984, 6379, 8086, 9042, 9092, 9200, 11211)
_WEB = (3000, 3128, 5000, 5601, 8000, 8080, 8443, 8888, 9000, 9090, 15672)
_OTHERS = (3389, 5222, 5900, 6667, 27017)
_USUAL: tuple[int, ...] = (*_EVERYDAY, *_STORES, *_WEB, *_OTHERS)
"""Ports of the servers that are moved most: the everyday protocols, databases, queues, web servers."""
_HIGHEST = 65535


def moved_ports() -> frozenset[int]:
    """Return the customary places beside the usual ports.

    A digit in front of four (5432: 15432 to 55432), the neighbours (5433, 5434), digits that fill a short
    number (22: 2222, 1022, 2022, 8022, 9022, 10022, 20022 …; 389: 1389, 8389, 10389, 3890).
    """
    return frozenset(place for usual in _USUAL for place in _places(usual) if usual < place <= _HIGHEST)


def _places(usual: int) -> list[int]:
    digits = str(usual)
    if usual < 100:
        filled = [f"{each}0{digits}" for each in "1289"] + [f"{each}00{digits}" for each in "123456"]
        return [int(text) for text in (f"{digits}{digits}", f"{digits}0{digits}", *filled)]
    if usual < 1000:
        return [int(f"{each}{digits}") for each in ("1", "2", "8", "10", "20", "30")] + [usual * 10]
    front = [int(f"{each}{digits}") for each in "123456"] if usual < 10000 else [usual + 10000, usual + 20000]
    return [usual + 1, usual + 2, *front]
