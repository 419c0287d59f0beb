"""Which collectors exist. They are imported when chosen, since an image holds the libraries of one only."""

import importlib

from discovery_collectors.collector import Collector, CollectorError

COLLECTORS: dict[str, str] = {
    "database": "discovery_collectors.collectors.database.collector:DatabaseCollector",
    "directory": "discovery_collectors.collectors.directory.collector:DirectoryCollector",
    "network": "discovery_collectors.collectors.network.collector:NetworkCollector",
    "snmp": "discovery_collectors.collectors.snmp.collector:SnmpCollector",
    "web": "discovery_collectors.collectors.web.collector:WebCollector",
}
"""Name → `module:class`; a new collector is a new row."""

LOGINS: dict[str, frozenset[str]] = {
    "database": frozenset({"postgresql", "mysql", "mariadb", "mongodb", "redis"}),
    "directory": frozenset({"smb"}),
    "snmp": frozenset({"snmp"}),
}
"""Name → engines whose logins it can use; the others use none. Manifests say the same."""

IN_CLEAR = frozenset({"redis", "snmp"})
"""Engines whose logins carry the password itself; they are shown to addresses that a login names only."""


def load_collector(name: str) -> Collector:
    """Import and create the collector called `name`.

    Raises KeyError for an unknown name, CollectorError when one of its libraries is not installed.
    """
    module, _, attribute = COLLECTORS[name].partition(":")
    try:
        collector: Collector = getattr(importlib.import_module(module), attribute)()
    except ModuleNotFoundError as error:
        raise CollectorError(
            f"the collector {name} needs the library {error.name}; install discovery-collectors[{name}]"
        ) from error
    return collector
