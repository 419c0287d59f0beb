"""For every test: nothing outside of this machine and the project's own networks is contacted or scanned."""

import gc
import signal
import socket
import sys
from collections.abc import Generator
from ipaddress import ip_network
from pathlib import PurePath
from typing import Any

import pytest

# Also where PYTHONDONTWRITEBYTECODE is set: each process of pytest would rewrite the assertions of all tests
# anew, which is half of what it takes to collect them, and those of Hypothesis, which takes 0.3 s.
_writes_no_bytecode = sys.dont_write_bytecode
sys.dont_write_bytecode = False

from hypothesis import settings  # noqa: E402  # see above

ALLOWED = tuple(map(ip_network, ("127.0.0.0/8", "::1/128", "10.213.0.0/16")))
"""Loopback and the pool of the sessions' subnets."""
SCANNERS = frozenset({"nmap", "discovery-collect", "discovery_collectors"})

# How long an example takes says something of the machine, and nothing of the rule.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


class OutsideOfTheTestsError(AssertionError):
    """A test was about to send packets to an address that is not its own."""


def _is_own(address: str) -> bool | None:
    """None for what is no address: a host name, an option, a file."""
    try:
        network = ip_network(address, strict=False)
    except ValueError:
        return None
    return any(type(network) is type(own) and network.subnet_of(own) for own in ALLOWED)


def _refuse(address: str, who: str) -> None:
    raise OutsideOfTheTestsError(f"{who}: {address} is neither loopback nor in the pool of the sessions")


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        connection, address = arguments
        # Unix sockets have paths, netlink and the like have numbers; a name has become an address by now.
        is_internet = connection.family in {socket.AF_INET, socket.AF_INET6}
        if is_internet and not _is_own(str(address[0])):
            _refuse(str(address[0]), "socket.connect")
    elif event == "subprocess.Popen":
        command = [str(word) for word in arguments[1]] if isinstance(arguments[1], list | tuple) else []
        if command[1:2] == ["-c"]:
            # A shell's own words: `python -m discovery_collectors … | head`.
            command = command[2].split()
        # In a container or a network namespace of its own a scanner reaches only that.
        if any(PurePath(word).name in SCANNERS for word in command[:3]):
            for word in command[1:]:
                for address in word.split(","):
                    if _is_own(address) is False:
                        _refuse(address, " ".join(command[:3]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first: workers that take a file at a time then end at about the same time."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("long")
    if mark is None:
        return 0
    return float(mark.args[0]) if mark.args else 60


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect garbage again once tests are collected."""
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keep modules and collected tests out of garbage collections, which took a fifth of the processor.

    Garbage that is among them stays too: to look for it would take each process 0.8 s.
    """
    gc.freeze()
    sys.dont_write_bytecode = _writes_no_bytecode


# What is imported and collected stays: to look for garbage among it took a seventh of the time of collecting.
gc.disable()

# There is no way to remove it again, which is what it is for.
sys.addaudithook(_watch)

# A shell starts what it puts into the background with Ctrl-C ignored, and what tests start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
