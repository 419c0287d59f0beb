"""Finds the installed collectors: the folders of the package `collectors`, and nothing outside of it.

No entry point, variable or working directory adds one. A collector's code is imported when it is chosen,
since an image holds the libraries of one collector only.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from discovery_collectors.collector import Collect, CollectorError, Descriptor
from discovery_collectors.protocols.udp import UdpProbe

_FOLDERS = "discovery_collectors.collectors"


@cache
def installed_collectors() -> Mapping[str, Descriptor]:
    """Return each collector's descriptor by its name: its folder's, with `-` for `_`."""
    return {
        folder.name.replace("_", "-"): _module(folder.name, "descriptor").DESCRIPTOR
        for folder in pkgutil.iter_modules(importlib.import_module(_FOLDERS).__path__)
        if folder.ispkg
    }


def load_collector(name: str) -> Collect:
    """Import the collector called `name` and return how it collects.

    Raises KeyError for an unknown name, CollectorError when one of its libraries is not installed.
    """
    if name not in installed_collectors():
        raise KeyError(name)
    try:
        collect: Collect = _module(name.replace("-", "_"), "collector").collect
    except ModuleNotFoundError as error:
        raise CollectorError(
            f"the collector {name} needs the library {error.name}; install discovery-collectors[{name}]"
        ) from error
    return collect


def prepare(name: str) -> None:
    """Import what the collector called `name` imports only for some services, while there is time."""
    module = _module(name.replace("-", "_"), "collector")
    if hasattr(module, "prepare"):
        with suppress(ModuleNotFoundError):  # missed where it is needed, which may be nowhere
            module.prepare()


def tcp_ports() -> tuple[int, ...]:
    """Return the ports that all collectors together add to nmap's most common ones."""
    return tuple(sorted({port for each in installed_collectors().values() for port in each.tcp_ports}))


def udp_probes() -> tuple[UdpProbe, ...]:
    """Return the questions of all collectors, by port."""
    probes = [probe for each in installed_collectors().values() for probe in each.udp_probes]
    return tuple(sorted(probes, key=lambda probe: probe.port))


def _module(folder: str, name: str) -> Any:
    return importlib.import_module(f"{_FOLDERS}.{folder}.{name}")
