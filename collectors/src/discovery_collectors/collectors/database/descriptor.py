"""The collector `database`: enters database servers and lists what lies inside, names only."""

from discovery_collectors.collector import Descriptor
from discovery_collectors.collectors.database.engines import ENGINES

DESCRIPTOR = Descriptor(
    summary="what lies inside PostgreSQL, MariaDB, MySQL, MongoDB and Redis services found before",
    provides=("service", "database", "table"),
    needs=("service",),
    credentials=frozenset().union(*(engine.credentials for engine in ENGINES.values())),
    in_clear=frozenset().union(*(engine.credentials for engine in ENGINES.values() if engine.in_clear)),
    tcp_ports=(ENGINES["redis"].port, ENGINES["mongodb"].port),
)
