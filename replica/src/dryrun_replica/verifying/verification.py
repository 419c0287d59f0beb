"""Compares the ground truth that an allowlist's row states with what is there, and says every difference."""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import yaml

from dryrun_replica.verifying import questions
from dryrun_replica.verifying.container import Container, running
from dryrun_replica.verifying.listeners import Listener, listeners, package_versions

_BANNERS = "stand-in/banner.py"
_FRONT = "stunnel"
_PAUSES_SECONDS = (0.0, 1.0, 2.0)
"""Before each attempt to find what has to be there: a server may listen before it can answer, and on a busy
machine a handshake or a page may not come in time."""
_LEAST_SECONDS = 2.0
"""How long a handshake is waited for where no certificate is expected, and so often nobody answers one."""
_TIMES_A_QUESTION = 10
"""The same in times that a simple question takes, which is 0.2 s on an idle machine."""
_KINDS_BEHIND = ("web_app", "directory", "share", "snmp_system")
_NMAP = ("nmap", "-Pn", "-n", "-sV", "--host-timeout", "80s", "-oX", "-")


@dataclass(frozen=True, slots=True)
class Products:
    """Which packages bring which product, as recipes say; read as plain data."""

    packages: Mapping[str, frozenset[str]]
    """By product in lower case."""

    @classmethod
    def read(cls, folder: Path) -> "Products":
        """Read every recipe in `folder`."""
        found: dict[str, frozenset[str]] = {}
        for path in sorted(folder.glob("*.yml")):
            content: dict[str, Any] = yaml.safe_load(path.read_bytes())
            keys = ("packages", "unpacked", "programs_of")
            packages = frozenset(package for key in keys for package in content.get(key, ()))
            for name in (content["title"], *content["names"]["nmap"]):
                found[name.casefold()] = found.get(name.casefold(), frozenset()) | packages
        return cls(found)


async def verify(row: Mapping[str, Any], products: Products, owner: str = "") -> list[str]:
    """Start the row's image and return each difference from its ground truth, as a sentence.

    `owner` labels what is started, see `remove_leftovers`. Raises VerificationError when it does not start.
    """
    async with running(row, owner) as container:
        return await _Verification(container, row["ground_truth"], products).run()


class _Verification:
    """The verification of one stand-in."""

    def __init__(self, container: Container, truth: Iterable[Mapping[str, Any]], products: Products) -> None:
        self._container = container
        self._expected = {(fact["kind"], fact["key"]): fact.get("data", {}) for fact in truth}
        self._products = products
        self._versions: Mapping[str, str] = {}
        self._unexpected_seconds = _LEAST_SECONDS
        """How long a certificate is looked for where none is expected."""

    async def run(self) -> list[str]:
        began = time.monotonic()
        self._versions = await package_versions(self._container)
        in_proportion = _TIMES_A_QUESTION * (time.monotonic() - began)
        self._unexpected_seconds = min(max(_LEAST_SECONDS, in_proportion), questions.MOST_SECONDS)
        everything = await listeners(self._container)
        open_ports = {each.key: each for each in everything if not each.is_local}
        behind = {each.port: each for each in everything if each.is_local and each.transport == "tcp"}
        services = {key for kind, key in self._expected if kind == "service"}
        faults = [
            f"{key} is in the ground truth and nobody listens there"
            for key in sorted(services - open_ports.keys())
        ]
        faults += [
            f"{key} is open ({open_ports[key].command[:80].strip()}) and not in the ground truth"
            for key in sorted(open_ports.keys() - services)
        ]
        checks = (self._service(open_ports[key], behind) for key in sorted(services & open_ports.keys()))
        for found in await asyncio.gather(*checks):
            faults += found
        return faults

    async def _service(self, listener: Listener, behind: Mapping[int, Listener]) -> list[str]:
        faults: list[str] = []
        expected = self._expected["service", listener.key]
        tls = listener.transport == "tcp" and await self._certificate(listener, faults)
        program = listener
        if _FRONT in listener.command:
            inner = await self._behind_front(listener)
            program = behind.get(inner, listener)
        if _BANNERS in program.command:
            faults += await self._banner(listener, expected)
        else:
            faults += self._product(program, expected)
            faults += await self._version(program, listener, expected, tls=tls)
        faults += await self._what_it_shows(listener, tls=tls)
        return faults

    async def _certificate(self, listener: Listener, faults: list[str]) -> bool:
        expected = self._expected.get(("certificate", listener.key))
        seen = None
        seconds = self._unexpected_seconds if expected is None else questions.MOST_SECONDS
        for pause in _PAUSES_SECONDS[: 1 if expected is None else None]:
            await asyncio.sleep(pause)
            seen = await questions.certificate(self._container, listener.port, seconds)
            if seen is not None:
                break
        if (seen is None) != (expected is None):
            there = "is expected but missing" if seen is None else "is there but not expected"
            faults.append(f"{listener.key}: a certificate {there}")
        elif seen is not None and expected is not None:
            faults += _differences(f"{listener.key}: certificate", expected, seen)
        return seen is not None

    async def _behind_front(self, listener: Listener) -> int:
        words = listener.command.split()
        path = next((word for word in words if word.endswith("front.stunnel")), "/nonexistent")
        settings = await self._container.ask("cat", path)
        accepts = rf"(?m)^accept = 0\.0\.0\.0:{listener.port}\nconnect = 127\.0\.0\.1:(\d+)$"
        found = re.search(accepts, settings)
        return int(found[1]) if found else 0

    def _product(self, program: Listener, expected: Mapping[str, Any]) -> list[str]:
        names = expected.get("product", [])
        spellings = names if isinstance(names, list) else [names]
        packages: frozenset[str] = frozenset().union(
            *(self._products.packages.get(name.casefold(), frozenset()) for name in spellings)
        )
        if packages & program.packages:
            return []
        belongs = ", ".join(sorted(program.packages)) or "no package"
        return [
            f"{program.key}: expected {spellings[:1]}, and {program.command[:60].strip()} is of {belongs}"
        ]

    async def _version(
        self, program: Listener, listener: Listener, expected: Mapping[str, Any], *, tls: bool
    ) -> list[str]:
        version = expected.get("version")
        if version is None:
            return []
        installed = {self._versions.get(package, "") for package in program.packages}
        if any(re.match(rf"{re.escape(version)}(?![0-9])", each) for each in installed):
            return []
        # Some call their releases otherwise than their package: then their own word has to say so.
        # Who speaks first may reset the connection at a question of another protocol, before it was read.
        for text in (questions.GET, questions.GET, ""):
            if version in await questions.answer(self._container, listener.port, tls=tls, text=text):
                return []
        return [f"{listener.key}: version should be {version}, installed is {', '.join(sorted(installed))}"]

    async def _banner(self, listener: Listener, expected: Mapping[str, Any]) -> list[str]:
        """Let nmap judge whether a banner is named so; one that says nothing has nothing to be named by."""
        if not expected:
            return []
        kind = "-sU" if listener.transport == "udp" else "-sT"
        output = await self._container.ask(*_NMAP, kind, "-p", str(listener.port), "127.0.0.1", root=True)
        return list(_differences(listener.key, expected, _named_by_nmap(output)))

    async def _what_it_shows(self, listener: Listener, *, tls: bool) -> list[str]:
        expected = {
            place: data
            for place, data in self._expected.items()
            if place[0] in _KINDS_BEHIND and re.match(rf"{re.escape(listener.key)}(/|$)", place[1])
        }
        seen: questions.Shown = {}
        for pause in _PAUSES_SECONDS:
            await asyncio.sleep(pause)
            seen = await questions.shown(self._container, expected, listener.port, listener.key, tls=tls)
            if expected.keys() <= seen.keys():
                break
        faults = [
            f"{kind} {key} is expected but missing" for kind, key in sorted(expected.keys() - seen.keys())
        ]
        faults += [
            f"{kind} {key} is there but not expected" for kind, key in sorted(seen.keys() - expected.keys())
        ]
        for kind, key in sorted(expected.keys() & seen.keys()):
            faults += _differences(f"{kind} {key}", expected[kind, key], seen[kind, key])
        return faults


def _differences(where: str, expected: Mapping[str, Any], seen: Mapping[str, str]) -> Iterator[str]:
    for name, value in expected.items():
        spellings = [str(each).casefold() for each in (value if isinstance(value, list) else [value])]
        if str(seen.get(name, "")).casefold() not in spellings:
            yield f"{where}: {name} should be {value!r} and is {seen.get(name)!r}"


def _named_by_nmap(output: str) -> dict[str, str]:
    found: dict[str, str] = {}

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name == "service":
            found.update({key: attributes[key] for key in ("product", "version") if key in attributes})

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    try:
        parser.Parse(output.encode(), True)
    except expat.ExpatError:
        return {}
    return found
